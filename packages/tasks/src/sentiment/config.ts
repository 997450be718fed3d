import { ArgumentError, type Complete } from '@ostinato/core';
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

/** @throws ArgumentError unless there are two labels or more, all different texts that are not empty */
export function checkLabels(where: string, labels: readonly string[]): void {
  const fits =
    Array.isArray(labels) &&
    labels.length >= 2 &&
    new Set(labels).size === labels.length &&
    labels.every(label => typeof label === 'string' && label !== '');
  if (fits) return;
  const rule = 'labels must be at least 2 texts, all different and not empty';
  throw new ArgumentError({ where, rule, got: JSON.stringify(labels) ?? 'none' });
}
