import type { Complete } from '@ostinato/core';
import { checkLabels } from '../shared/labels.ts';
import type { PoolingName } from '../shared/pooling.ts';
import { completeEncoderConfig, type TokenEncoderConfig } from '../shared/token-encoder-config.ts';

/** Everything that determines the shape of a text classifier: plain JSON, saved in every checkpoint. */
export interface TextClassifierConfig extends TokenEncoderConfig {
  /** Names of the classes, in the order of the logits: at least 2, each once. */
  readonly labels: readonly string[];
  /** How the outputs of all tokens become one vector: one way, or several side by side. Default 'max'. */
  readonly pooling?: PoolingName | readonly PoolingName[] | undefined;
}

/** The configuration with every default filled in. */
export interface CompleteTextClassifierConfig extends Complete<TokenEncoderConfig> {
  readonly labels: readonly string[];
  readonly pooling: readonly PoolingName[];
}

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeConfig({
  labels,
  pooling = 'max',
  ...encoder
}: TextClassifierConfig): CompleteTextClassifierConfig {
  checkLabels('TextClassifier', labels);
  const kinds = typeof pooling === 'string' ? [pooling] : [...pooling];
  return { ...completeEncoderConfig('TextClassifier', encoder), labels: [...labels], pooling: kinds };
}
