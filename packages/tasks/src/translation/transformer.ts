import { type DecoderCache, Transformer } from '@ostinato/attention';
import { atPath, checkShape, Dropout, Module, Rng, type State } from '@ostinato/core';
import { SinusoidalPositions } from '@ostinato/embeddings';
import * as tf from '@tensorflow/tfjs-core';
import { tidyState } from '../shared/tidy.ts';
import {
  type CompleteTransformerTranslatorConfig,
  completeTransformerConfig,
  type TransformerTranslatorConfig,
} from './config.ts';
import type { Translator, TranslatorCallOptions, TranslatorInputs, TranslatorStep } from './model.ts';
import { TokenTables } from './token-tables.ts';

/**
 * A transformer that translates:
 *
 *     x = dropout(√D E[ids] + PE)      m = encoder(x_source)      logits = decoder(x_target, m) Eᵀ
 *
 * Vaswani et al. 2017, arXiv:1706.03762; small ones for little data: Wu et al. 2021, arXiv:2105.14462, section 4.
 */
export class TransformerTranslator extends Module implements Translator {
  readonly config: CompleteTransformerTranslatorConfig;
  readonly tables: TokenTables;
  readonly positions: SinusoidalPositions;
  readonly dropout: Dropout;
  readonly transformer: Transformer;

  /** @throws ArgumentError when an option is out of range */
  constructor({ rng = new Rng(0), ...config }: TransformerTranslatorConfig & { readonly rng?: Rng | undefined }) {
    super();
    this.config = completeTransformerConfig(config);
    const { size, numHeads, feedForwardSize, encoderLayers, decoderLayers, preNorm, dropout } = this.config;
    const { attentionDropout } = this.config;
    this.tables = new TokenTables({ config: this.config, size, scale: Math.sqrt(size), rng: rng.split('tables') });
    this.positions = new SinusoidalPositions({ size });
    this.dropout = new Dropout({ rate: dropout });
    this.transformer = new Transformer({
      ...{ size, numHeads, feedForwardSize, encoderLayers, decoderLayers, preNorm, finalNorm: preNorm },
      ...{ dropout, attentionDropout, activationDropout: 0, rng: rng.split('transformer') },
    });
  }

  call(inputs: TranslatorInputs, { sourceLengths, training, rng }: TranslatorCallOptions = {}): tf.Tensor {
    return tf.tidy(() => {
      const { source, target } = this.#vectors(inputs, { training, rng });
      const hidden = atPath('transformer', () =>
        this.transformer.call({ source, target }, { sourceLengths, training, rng: rng?.split('transformer') }),
      ); // [B, T, D]
      return this.tables.logits(hidden);
    });
  }

  attention(
    inputs: TranslatorInputs,
    { sourceLengths }: { readonly sourceLengths?: tf.Tensor | undefined } = {},
  ): readonly tf.Tensor[] {
    return tidyState(
      () => this.transformer.withWeights(this.#vectors(inputs), { sourceLengths }).decoder.memoryWeights,
    );
  }

  initialState(
    source: tf.Tensor,
    { maximumTime, sourceLengths }: { readonly maximumTime: number; readonly sourceLengths?: tf.Tensor | undefined },
  ): State {
    return tidyState(() => {
      checkShape('TransformerTranslator.initialState', 'source', source, { batch: null, source: null }, 'int32');
      const { encoder, decoder } = this.transformer;
      const vectors = this.positions.call(this.tables.source.call(source)); // [B, S, D]
      const memory = encoder.call(vectors, sourceLengths ? { keyLengths: sourceLengths } : {});
      return decoder.initialCache(memory, { maximumTime, memoryLengths: sourceLengths });
    });
  }

  step(ids: tf.Tensor, state: State): TranslatorStep {
    checkShape('TransformerTranslator.step', 'ids', ids, { batch: null }, 'int32');
    const cache = state as DecoderCache;
    return tidyState(() => {
      const vectors = this.tables.target.call(tf.expandDims(ids, 1)); // [B, 1, D]
      const placed = this.positions.call(vectors, { positions: tf.expandDims(cache.lengths, 1) });
      const { output, cache: next } = this.transformer.decoder.step(placed, cache);
      return { logits: this.tables.logits(tf.squeeze(output, [1])), state: next };
    });
  }

  isFixed(path: string): boolean {
    return path === 'memoryLengths' || /^layers\.\d+\.memory\./.test(path);
  }

  #vectors(
    { source, target }: TranslatorInputs,
    { training, rng }: Pick<TranslatorCallOptions, 'training' | 'rng'> = {},
  ): { readonly source: tf.Tensor; readonly target: tf.Tensor } {
    const where = 'TransformerTranslator.call';
    checkShape(where, 'source', source, { batch: null, source: null }, 'int32');
    checkShape(where, 'target', target, { batch: source.shape[0]!, time: null }, 'int32');
    const place = (side: 'source' | 'target', ids: tf.Tensor): tf.Tensor => {
      const vectors = this.positions.call(atPath(`tables.${side}`, () => this.tables[side].call(ids)));
      return training ? this.dropout.call(vectors, { training, rng: rng?.split(side) }) : vectors;
    };
    return { source: place('source', source), target: place('target', target) };
  }
}
