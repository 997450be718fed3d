import { type Complete, glorotUniform, identity, normal, orthogonal, type Rng, zeros } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** What an initializer is told about the cell that asks, besides the shape. */
export interface CellShape {
  readonly hiddenSize: number;
  /** The gates in the order of their blocks along the last axis, e.g. `['i', 'f', 'g', 'o']`. One entry in a plain RNN. */
  readonly gates: readonly string[];
  /** How many of PyTorch's bias vectors this cell's bias stands for: 2 where theirs are only ever added, else 1. */
  readonly mergedBiases: 1 | 2;
}

/** Draws the first value of a weight `[inputs, gates · hidden]` or bias `[gates · hidden]`; any `Initializer` of core is one. */
export type CellInitializer = (shape: readonly number[], rng: Rng, cell: CellShape) => tf.Tensor;

/** Options of every cell and layer: how the weights start. */
export interface CellInitializers {
  /** W, float32 [inputSize, gates · hiddenSize]; also the projection [hiddenSize, projectionSize] of an LSTM. */
  readonly inputInitializer?: CellInitializer | undefined;
  /** U, float32 [hiddenSize, gates · hiddenSize]. */
  readonly recurrentInitializer?: CellInitializer | undefined;
  /** b, float32 [gates · hiddenSize]. */
  readonly biasInitializer?: CellInitializer | undefined;
}

const withinHidden: CellInitializer = (shape, rng, { hiddenSize }) => {
  const bound = 1 / Math.sqrt(hiddenSize);
  return rng.uniform(shape, -bound, bound);
};

/**
 * What PyTorch's nn.RNN, nn.LSTM and nn.GRU start from, and the default here: everything uniform within ±1/√H.
 *
 * PyTorch adds two bias vectors where one would do; a bias that stands for both is drawn as the sum of two uniform numbers.
 */
export const pytorchInitializers: Complete<CellInitializers> = {
  inputInitializer: withinHidden,
  recurrentInitializer: withinHidden,
  biasInitializer: (shape, rng, cell) =>
    tf.tidy(() => {
      const draws = Array.from({ length: cell.mergedBiases }, () => withinHidden(shape, rng, cell));
      return tf.addN(draws);
    }),
};

/**
 * What Keras starts from: W Glorot uniform, U orthogonal over the whole [H, gates · H] matrix, b zero, except for one at an
 * LSTM's forget gate (`unit_forget_bias`; Gers et al. 2000; Jozefowicz et al. 2015, ICML).
 */
export const kerasInitializers: Complete<CellInitializers> = {
  inputInitializer: glorotUniform,
  recurrentInitializer: orthogonal(),
  biasInitializer: (shape, _rng, { gates, hiddenSize }) => gateConstant(shape, gates, hiddenSize, { f: 1 }),
};

/**
 * The IRNN: a ReLU network whose recurrent matrix starts as the identity, W as normal(0.001) and b as zero. It carries
 * gradients over hundreds of steps without gates. Use: `new RNN({ inputSize, hiddenSize, ...irnn })`.
 *
 * Le, Jaitly, Hinton 2015, "A simple way to initialize recurrent networks of rectified linear units", arXiv:1504.00941.
 */
export const irnn: Complete<CellInitializers> & { readonly activation: 'relu' } = {
  activation: 'relu',
  inputInitializer: normal(0.001),
  recurrentInitializer: identity(),
  biasInitializer: zeros,
};

/** float32 [gates · hiddenSize]: the number that `values` has for each gate, else zero. */
function gateConstant(
  shape: readonly number[],
  gates: readonly string[],
  hiddenSize: number,
  values: Readonly<Record<string, number>>,
): tf.Tensor {
  const flat = gates.flatMap(gate => Array<number>(hiddenSize).fill(values[gate] ?? 0));
  return tf.tensor(flat, [...shape], 'float32');
}
