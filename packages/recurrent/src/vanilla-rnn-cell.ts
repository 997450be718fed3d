import { type Cell, fanInUniform, Module, Rng, type StepResult, variable, zeros } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkSizes, checkStep, type StateSizes } from './cell-options.ts';
import type { RNNState } from './rnn-cell.ts';

/**
 * The recurrent network from scratch, with every weight of the textbook (Elman 1990, "Finding structure in time"):
 *
 *     hₜ = tanh(xₜ W_xh + hₜ₋₁ W_hh + b_h)
 *     yₜ = hₜ W_hy + b_y
 *
 * It is for reading: `unroll` runs it, nothing is fused. `RNN` and a `Linear` on top compute the same, faster.
 */
export class VanillaRNNCell extends Module implements Cell<RNNState> {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly outputSize: number;
  readonly stateSizes: StateSizes<RNNState>;
  /** float32 [inputSize, hiddenSize] */
  readonly W_xh: tf.Variable;
  /** float32 [hiddenSize, hiddenSize] */
  readonly W_hh: tf.Variable;
  /** float32 [hiddenSize] */
  readonly b_h: tf.Variable;
  /** float32 [hiddenSize, outputSize] */
  readonly W_hy: tf.Variable;
  /** float32 [outputSize] */
  readonly b_y: tf.Variable;

  /** @throws ArgumentError when a size is not a positive integer */
  constructor({ inputSize, hiddenSize, outputSize, rng = new Rng(0) }: VanillaRNNCellOptions) {
    super();
    checkSizes('VanillaRNNCell', { inputSize, hiddenSize, outputSize });
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.outputSize = outputSize;
    this.stateSizes = { hidden: hiddenSize };
    const draw = fanInUniform(hiddenSize);
    this.W_xh = variable(draw([inputSize, hiddenSize], rng.split('W_xh')));
    this.W_hh = variable(draw([hiddenSize, hiddenSize], rng.split('W_hh')));
    this.b_h = variable(zeros([hiddenSize], rng));
    this.W_hy = variable(draw([hiddenSize, outputSize], rng.split('W_hy')));
    this.b_y = variable(zeros([outputSize], rng));
  }

  initialState(batchSize: number): RNNState {
    return { hidden: tf.zeros([batchSize, this.hiddenSize]) };
  }

  /**
   * @param input xₜ, float32 [batch, inputSize]
   * @returns output yₜ, float32 [batch, outputSize]; state hₜ
   */
  step(input: tf.Tensor, state: RNNState): StepResult<RNNState> {
    checkStep('VanillaRNNCell.step', this, input, state);
    return tf.tidy(() => {
      const fromInput = tf.matMul(input, this.W_xh); // [B, H]
      const fromState = tf.matMul(state.hidden, this.W_hh); // [B, H]
      const hidden = tf.tanh(tf.add(tf.add(fromInput, fromState), this.b_h));
      const output = tf.add(tf.matMul(hidden, this.W_hy), this.b_y); // [B, outputSize]
      return { output, state: { hidden } };
    });
  }
}

/** Options of `VanillaRNNCell`. */
export interface VanillaRNNCellOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Width of y. */
  readonly outputSize: number;
  /** Where the first weights come from. Default `new Rng(0)`: two cells of one size that are not given theirs start alike. */
  readonly rng?: Rng | undefined;
}
