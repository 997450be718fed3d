import type { Tokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { tidyState } from '../shared/tidy.ts';
import type { Translator } from './model.ts';
import { checkTokenizers, type TranslationTokenizers } from './tokenizers.ts';

/** Where the tokens of a translation looked in its source, as plain data. */
export interface AttentionMap {
  /** Tokens of the source as text, its end among them. */
  readonly source: readonly string[];
  /** Tokens of the translation as text, its end among them. */
  readonly target: readonly string[];
  /** Of each layer and head: a row for each token of the translation, over the tokens of the source; rows sum to 1. */
  readonly layers: readonly (readonly (readonly (readonly number[])[])[])[];
}

/**
 * Attention of a translation to its source.
 *
 * @param pair ids of the source as the model reads it, and of the translation without its beginning
 */
export function attentionMap(
  model: Translator,
  tokenizers: TranslationTokenizers,
  { source, target }: { readonly source: Int32Array; readonly target: Int32Array },
): AttentionMap {
  const { beginning } = checkTokenizers('attentionMap', tokenizers, model.config);
  const inputs = Int32Array.of(beginning, ...target.subarray(0, -1));
  const weights = tidyState(() =>
    model
      .attention({
        source: tf.tensor2d(source, [1, source.length], 'int32'),
        target: tf.tensor2d(inputs, [1, inputs.length], 'int32'),
      })
      .map(layer => layer),
  );
  const layers = weights.map(layer => {
    const nested = layer.arraySync() as number[][][][]; // [1, heads, T, S]
    layer.dispose();
    return nested[0]!;
  });
  return { source: pieces(tokenizers.source, source), target: pieces(tokenizers.target, target), layers };
}

/** The mean of all layers and heads, or of those of one layer: a row for each token of the translation. */
export function meanAttention({ layers }: AttentionMap, layer?: number): number[][] {
  const heads = layer === undefined ? layers.flat() : layers[layer]!;
  return heads[0]!.map((row, t) =>
    row.map((_, s) => heads.reduce((sum, head) => sum + head[t]![s]!, 0) / heads.length),
  );
}

/** Each id as text of its own: `Ġthe` is `the`, special tokens are their names. */
function pieces(tokenizer: Tokenizer, ids: Int32Array): string[] {
  return Array.from(ids, id => tokenizer.decode([id]).trim() || (tokenizer.idToToken(id) ?? ''));
}
