import { type Complete, checkChoice, checkNumber, type Module, type Rng, type State } from '@ostinato/core';
import { GRU, LSTM, RNN } from '@ostinato/recurrent';
import type * as tf from '@tensorflow/tfjs-core';

/** The cells a language model can be configured with. */
export const cellNames = ['lstm', 'gru', 'rnn'] as const;

/** Name of a cell: see `cellNames`. */
export type CellName = (typeof cellNames)[number];

/** Everything that determines the shape of a language model: plain JSON, saved in every checkpoint. */
export interface LanguageModelConfig {
  /** V, number of tokens. */
  readonly vocabularySize: number;
  /** E, width of a token's vector. Default 256. */
  readonly embeddingSize?: number | undefined;
  /** H, width of the hidden state. Default 1024. */
  readonly hiddenSize?: number | undefined;
  /** Default 'lstm'. */
  readonly cell?: CellName | undefined;
  /** Recurrent layers on top of each other. Default 1. */
  readonly numLayers?: number | undefined;
  /** Rate of dropout between the layers and before the output. Default 0. */
  readonly dropout?: number | undefined;
  /** Whether the output layer shares the embedding's table; needs embeddingSize = hiddenSize. Default false. */
  readonly tied?: boolean | undefined;
}

/** A recurrent layer that a language model can be built on: `LSTM`, `GRU`, `RNN`, or one of your own. */
export interface RecurrentLayer extends Module {
  readonly inputSize: number;
  readonly outputSize: number;
  initialState(batchSize: number): State;
  /** @param input float32 [batch, time, inputSize] */
  call(
    input: tf.Tensor,
    options?: {
      readonly state?: State | undefined;
      readonly resets?: ArrayLike<number | boolean> | undefined;
      readonly training?: boolean | undefined;
      readonly rng?: Rng | undefined;
    },
  ): { readonly output: tf.Tensor; readonly state: State };
  /** @param input float32 [batch, inputSize] */
  step(input: tf.Tensor, state: State): { readonly output: tf.Tensor; readonly state: State };
}

interface LayerOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly dropout: number;
  readonly rng: Rng;
}

const layers: Readonly<Record<CellName, (options: LayerOptions) => RecurrentLayer>> = {
  lstm: options => new LSTM(options),
  gru: options => new GRU(options),
  rnn: options => new RNN(options),
};

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeConfig({
  vocabularySize,
  embeddingSize = 256,
  hiddenSize = 1024,
  cell = 'lstm',
  numLayers = 1,
  dropout = 0,
  tied = false,
}: LanguageModelConfig): Complete<LanguageModelConfig> {
  const where = 'LanguageModel';
  checkNumber(where, 'vocabularySize', vocabularySize, { integer: true, min: 1 });
  checkNumber(where, 'embeddingSize', embeddingSize, { integer: true, min: 1 });
  checkNumber(where, 'hiddenSize', hiddenSize, { integer: true, min: 1 });
  checkChoice(where, 'cell', cell, cellNames);
  checkNumber(where, 'numLayers', numLayers, { integer: true, min: 1 });
  checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
  return { vocabularySize, embeddingSize, hiddenSize, cell, numLayers, dropout, tied };
}

/** The recurrent layer that a configuration names. */
export function recurrentLayer(config: Complete<LanguageModelConfig>, rng: Rng): RecurrentLayer {
  const { cell, embeddingSize, hiddenSize, numLayers, dropout } = config;
  return layers[cell]({ inputSize: embeddingSize, hiddenSize, numLayers, dropout, rng });
}
