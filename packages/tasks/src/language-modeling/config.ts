import {
  ArgumentError,
  type Complete,
  checkChoice,
  checkNumber,
  type Module,
  type Rng,
  type State,
} from '@ostinato/core';
import { GRU, LSTM, RNN } from '@ostinato/recurrent';
import type * as tf from '@tensorflow/tfjs-core';

/** The networks that a language model can be configured with: recurrent ones, and a causal transformer. */
export const architectures = ['lstm', 'gru', 'rnn', 'gpt'] as const;

/** Name of a network: see `architectures`. */
export type Architecture = (typeof architectures)[number];

/** The recurrent ones among `architectures`. */
export const cellNames = ['lstm', 'gru', 'rnn'] as const;

/** Name of a recurrent network: see `cellNames`. */
export type CellName = (typeof cellNames)[number];

/** Everything that determines the shape of a recurrent language model: plain JSON, saved in every checkpoint. */
export interface RecurrentLanguageModelConfig {
  /** V, number of tokens. */
  readonly vocabularySize: number;
  /** Default 'lstm'. */
  readonly architecture?: CellName | undefined;
  /** E, width of a token's vector. Default 256. */
  readonly embeddingSize?: number | undefined;
  /** H, width of the hidden state. Default 1024. */
  readonly hiddenSize?: number | undefined;
  /** Recurrent layers on top of each other. Default 1. */
  readonly numLayers?: number | undefined;
  /** Rate of dropout between the layers and before the output. Default 0. */
  readonly dropout?: number | undefined;
  /** Whether the output layer shares the embedding's table; needs embeddingSize = hiddenSize. Default false. */
  readonly tied?: boolean | undefined;
}

/**
 * Everything that determines the shape of a GPT: plain JSON, saved in every checkpoint. The defaults are the sizes of nanoGPT's
 * configuration for a CPU; unlike there layer norms keep their biases, and GELU is its approximation by tanh, as in GPT-2.
 */
export interface TransformerLanguageModelConfig {
  readonly architecture: 'gpt';
  /** V, number of tokens. */
  readonly vocabularySize: number;
  /** Most tokens that are read together. nanoGPT: `block_size`. Default 64. */
  readonly contextLength?: number | undefined;
  /** D. nanoGPT: `n_embd`. Default 128. */
  readonly hiddenSize?: number | undefined;
  /** nanoGPT: `n_layer`. Default 4. */
  readonly numLayers?: number | undefined;
  /** nanoGPT: `n_head`. Default 4. */
  readonly numHeads?: number | undefined;
  /** Rate of every dropout. Default 0. */
  readonly dropout?: number | undefined;
  /** Whether projections have biases. Default false. */
  readonly bias?: boolean | undefined;
  /** Whether the output layer shares the embedding's table. Default true. */
  readonly tied?: boolean | undefined;
}

/** Everything that determines the shape of a language model. */
export type LanguageModelConfig = RecurrentLanguageModelConfig | TransformerLanguageModelConfig;

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

const where = 'LanguageModel';

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeRecurrentConfig({
  vocabularySize,
  architecture = 'lstm',
  embeddingSize = 256,
  hiddenSize = 1024,
  numLayers = 1,
  dropout = 0,
  tied = false,
}: RecurrentLanguageModelConfig): Complete<RecurrentLanguageModelConfig> {
  checkSizes({ vocabularySize, embeddingSize, hiddenSize, numLayers });
  checkChoice(where, 'architecture', architecture, cellNames);
  checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
  return { vocabularySize, architecture, embeddingSize, hiddenSize, numLayers, dropout, tied };
}

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeTransformerConfig({
  vocabularySize,
  contextLength = 64,
  hiddenSize = 128,
  numLayers = 4,
  numHeads = 4,
  dropout = 0,
  bias = false,
  tied = true,
}: TransformerLanguageModelConfig): Complete<TransformerLanguageModelConfig> {
  checkSizes({ vocabularySize, contextLength, hiddenSize, numLayers, numHeads });
  checkNumber(where, 'contextLength', contextLength, { min: 2 });
  checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
  if (hiddenSize % numHeads !== 0) {
    const got = `${hiddenSize} and ${numHeads}`;
    throw new ArgumentError({ where, rule: 'hiddenSize must be divisible by numHeads', got });
  }
  const sizes = { vocabularySize, contextLength, hiddenSize, numLayers, numHeads };
  return { architecture: 'gpt', ...sizes, dropout, bias, tied };
}

function checkSizes(sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) checkNumber(where, name, size, { integer: true, min: 1 });
}

/** The recurrent layer that a configuration names. */
export function recurrentLayer(config: Complete<RecurrentLanguageModelConfig>, rng: Rng): RecurrentLayer {
  const { architecture, embeddingSize, hiddenSize, numLayers, dropout } = config;
  return layers[architecture]({ inputSize: embeddingSize, hiddenSize, numLayers, dropout, rng });
}
