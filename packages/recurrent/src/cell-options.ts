import { type CallOptions, checkNumber, checkShape, type Rng, ShapeError } from '@ostinato/core';
import type * as tf from '@tensorflow/tfjs-core';
import type { CellInitializers } from './initializers.ts';

/** Options that `RNNCell`, `LSTMCell` and `GRUCell` share. */
export interface CellOptions extends CellInitializers {
  /** D, width of the input. */
  readonly inputSize: number;
  /** H, width of the hidden state. */
  readonly hiddenSize: number;
  /** Whether there are biases. Default true. */
  readonly bias?: boolean | undefined;
  /** Layer normalisation inside the cell (Ba et al. 2016, arXiv:1607.06450). Default false. */
  readonly layerNorm?: boolean | undefined;
  /**
   * Rate of dropout on hₜ₋₁ where it enters the gates; one mask for all time steps of a row (Gal and Ghahramani 2016,
   * arXiv:1512.05287, section 4). Default 0.
   */
  readonly recurrentDropout?: number | undefined;
  /** Where the first weights come from. Default `new Rng(0)`: two layers of one size that are not given theirs start alike. */
  readonly rng?: Rng | undefined;
}

/** A state as the cells of this package have it: named tensors, each float32 [batch, size]. */
export type NamedState = { readonly [name: string]: tf.Tensor };

/** Width of every tensor of a state. */
export type StateSizes<S extends NamedState> = { readonly [Name in keyof S]: number };

/** Checks the sizes of a cell. */
export function checkSizes(where: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) checkNumber(where, name, size, { integer: true, min: 1 });
}

/** Checks a state against the sizes that its cell declares, for a batch of `batch` rows. */
export function checkState<S extends NamedState>(
  where: string,
  name: string,
  state: S,
  sizes: StateSizes<S>,
  batch: number,
): void {
  for (const [field, size] of Object.entries(sizes)) {
    const tensor = (state as NamedState | undefined)?.[field];
    if (tensor === undefined) {
      const expected = `{ ${Object.keys(sizes).join(', ')} }`;
      const got = state === undefined ? 'undefined' : `{ ${Object.keys(state).join(', ')} }`;
      throw new ShapeError({ where, rule: `${name} must have a tensor \`${field}\``, expected, got });
    }
    checkShape(where, `${name}.${field}`, tensor, { batch, size }, 'float32');
  }
}

/** Checks what `step` was given: input float32 [batch, inputSize] and a state of the same batch. */
export function checkStep<S extends NamedState>(
  where: string,
  cell: { readonly inputSize: number; readonly stateSizes: StateSizes<S> },
  input: tf.Tensor,
  state: S,
): void {
  checkShape(where, 'input', input, { batch: null, inputSize: cell.inputSize }, 'float32');
  checkState(where, 'state', state, cell.stateSizes, input.shape[0]!);
}

/** Whether dropout of this rate does anything in this call. */
export function drops({ training = false }: CallOptions, { rate }: { readonly rate: number }): boolean {
  return training && rate > 0;
}
