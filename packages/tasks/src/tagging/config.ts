import type { Complete } from '@ostinato/core';
import { checkLabels } from '../shared/labels.ts';
import { completeEncoderConfig, type TokenEncoderConfig } from '../shared/token-encoder-config.ts';

/** Everything that determines the shape of a sequence tagger: plain JSON, saved in every checkpoint. */
export interface SequenceTaggerConfig extends TokenEncoderConfig {
  /** The tags, in the order of the logits: at least 2, each once. */
  readonly labels: readonly string[];
}

/** The configuration with every default filled in. */
export interface CompleteSequenceTaggerConfig extends Complete<TokenEncoderConfig> {
  readonly labels: readonly string[];
}

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeConfig({ labels, ...encoder }: SequenceTaggerConfig): CompleteSequenceTaggerConfig {
  checkLabels('SequenceTagger', labels);
  return { ...completeEncoderConfig('SequenceTagger', encoder), labels: [...labels] };
}
