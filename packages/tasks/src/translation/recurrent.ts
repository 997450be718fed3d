import {
  AdditiveAttention,
  AttentionDecoder,
  type AttentionDecoderState,
  type MemoryAttention,
  MultiplicativeAttention,
} from '@ostinato/attention';
import { atPath, type CallOptions, checkShape, Dropout, Linear, Module, Rng, type State } from '@ostinato/core';
import { GRU, LSTM } from '@ostinato/recurrent';
import * as tf from '@tensorflow/tfjs-core';
import { tidyState } from '../shared/tidy.ts';
import {
  type CompleteRecurrentTranslatorConfig,
  completeRecurrentConfig,
  type RecurrentTranslatorConfig,
} from './config.ts';
import type { Translator, TranslatorCallOptions, TranslatorInputs, TranslatorStep } from './model.ts';
import { TokenTables } from './token-tables.ts';

/**
 * A recurrent translator with attention:
 *
 *     m = encoder(E[source])      s₀ = tanh(W [last states] + b)      oₜ, sₜ = decoder(E[targetₜ], sₜ₋₁, m)
 *     logits = dropout(tanh(W' [oₜ; E[targetₜ]] + b')) Eᵀ
 *
 * The encoder reads in both directions; s₀ starts every layer of the decoder. Bahdanau, Cho, Bengio 2015, arXiv:1409.0473, appendix
 * A, with tanh in place of maxout; Luong, Pham, Manning 2015, arXiv:1508.04025.
 */
export class RecurrentTranslator extends Module implements Translator {
  readonly config: CompleteRecurrentTranslatorConfig;
  readonly tables: TokenTables;
  readonly encoder: GRU | LSTM;
  readonly bridge: Linear;
  readonly decoder: AttentionDecoder;
  readonly readout: Linear;
  readonly dropout: Dropout;

  /** @throws ArgumentError when an option is out of range */
  constructor({ rng = new Rng(0), ...config }: RecurrentTranslatorConfig & { readonly rng?: Rng | undefined }) {
    super();
    this.config = completeRecurrentConfig(config);
    const { embeddingSize, hiddenSize, encoderLayers, decoderLayers, dropout, attention, cell } = this.config;
    const stack = cell === 'lstm' ? LSTM : GRU;
    this.tables = new TokenTables({ config: this.config, size: embeddingSize, scale: 1, rng: rng.split('tables') });
    this.encoder = new stack({
      ...{ inputSize: embeddingSize, hiddenSize, numLayers: encoderLayers, bidirectional: true, dropout },
      rng: rng.split('encoder'),
    });
    const memorySize = this.encoder.outputSize;
    this.bridge = new Linear({ inputSize: memorySize, outputSize: hiddenSize, rng: rng.split('bridge') });
    const sizes = { querySize: hiddenSize, memorySize, rng: rng.split('attention') };
    this.decoder = new AttentionDecoder({
      inputSize: embeddingSize,
      attention: (attention === 'bahdanau'
        ? new AdditiveAttention(sizes)
        : new MultiplicativeAttention(sizes)) as MemoryAttention,
      inputFeeding: attention === 'luong',
      cell: inputSize =>
        new stack({ inputSize, hiddenSize, numLayers: decoderLayers, dropout, rng: rng.split('decoder') }) as GRU,
    }) as unknown as AttentionDecoder;
    const readoutSize = this.decoder.outputSize + embeddingSize;
    this.readout = new Linear({ inputSize: readoutSize, outputSize: embeddingSize, rng: rng.split('readout') });
    this.dropout = new Dropout({ rate: dropout });
  }

  call(inputs: TranslatorInputs, { sourceLengths, training, rng }: TranslatorCallOptions = {}): tf.Tensor {
    return tf.tidy(() => {
      const { vectors, output } = this.#decode(inputs, { sourceLengths, training, rng });
      return this.#logits(output, vectors, { training, rng: rng?.split('readout') });
    });
  }

  attention(
    inputs: TranslatorInputs,
    { sourceLengths }: { readonly sourceLengths?: tf.Tensor | undefined } = {},
  ): readonly tf.Tensor[] {
    return tidyState(() => [tf.expandDims(this.#decode(inputs, { sourceLengths }).weights, 1)]);
  }

  initialState(
    source: tf.Tensor,
    { sourceLengths }: { readonly maximumTime: number; readonly sourceLengths?: tf.Tensor | undefined },
  ): State {
    return tidyState(() => this.#encode(source, { sourceLengths }));
  }

  step(ids: tf.Tensor, state: State): TranslatorStep {
    checkShape('RecurrentTranslator.step', 'ids', ids, { batch: null }, 'int32');
    return tidyState(() => {
      const vectors = this.tables.target.call(ids); // [B, E]
      const { output, weights, state: next } = this.decoder.step(vectors, state as AttentionDecoderState);
      return { logits: this.#logits(output, vectors, {}), state: next, attention: weights };
    });
  }

  isFixed(path: string): boolean {
    return path === 'memory' || path === 'keys' || path === 'memoryLengths';
  }

  #encode(source: tf.Tensor, { sourceLengths, training, rng }: TranslatorCallOptions): AttentionDecoderState {
    checkShape('RecurrentTranslator.call', 'source', source, { batch: null, source: null }, 'int32');
    const embedded = this.#drop(
      atPath('tables.source', () => this.tables.source.call(source)),
      {
        training,
        rng: rng?.split('source'),
      },
    );
    const { output, state } = atPath('encoder', () =>
      this.encoder.call(embedded, { lengths: sourceLengths, training, rng: rng?.split('encoder') }),
    ); // [B, S, 2 H]
    const last = tf.concat(
      state.slice(-2).map(({ hidden }) => hidden),
      1,
    ); // [B, 2 H]
    const hidden = tf.tanh(atPath('bridge', () => this.bridge.call(last))); // [B, H]
    const { cell, decoderLayers } = this.config;
    const start = Array.from({ length: decoderLayers }, () =>
      cell === 'lstm' ? { hidden, cell: tf.zerosLike(hidden) } : { hidden },
    );
    return this.decoder.initialState(output, { lengths: sourceLengths, cell: start });
  }

  #decode(inputs: TranslatorInputs, options: TranslatorCallOptions) {
    const { training, rng } = options;
    const { source, target } = inputs;
    checkShape('RecurrentTranslator.call', 'target', target, { batch: source.shape[0]!, time: null }, 'int32');
    const state = this.#encode(source, options);
    const vectors = this.#drop(
      atPath('tables.target', () => this.tables.target.call(target)),
      {
        training,
        rng: rng?.split('target'),
      },
    ); // [B, T, E]
    const { output, weights } = atPath('decoder', () =>
      this.decoder.call(vectors, state, { training, rng: rng?.split('decoder') }),
    );
    return { vectors, output, weights };
  }

  #logits(output: tf.Tensor, vectors: tf.Tensor, options: CallOptions): tf.Tensor {
    const read = tf.tanh(atPath('readout', () => this.readout.call(tf.concat([output, vectors], -1))));
    return this.tables.logits(this.#drop(read, options));
  }

  #drop(x: tf.Tensor, options: CallOptions): tf.Tensor {
    return options.training ? this.dropout.call(x, options) : x;
  }
}
