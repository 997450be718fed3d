import {
  type CallOptions,
  checkChoice,
  Dropout,
  initialParameter,
  LayerNorm,
  Module,
  Rng,
  type StepResult,
} from '@ostinato/core';
import { rnnSequence } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type CellOptions, checkSizes, checkStep, drops, type StateSizes } from './cell-options.ts';
import { type CellShape, pytorchInitializers } from './initializers.ts';
import type { FusedOptions, SequenceCell } from './sequence-cell.ts';
import type { SequenceResult } from './unroll.ts';

/** State of a simple RNN: `hidden` hₜ, float32 [batch, hiddenSize]. */
export type RNNState = { readonly hidden: tf.Tensor };

/** Nonlinearity of a simple RNN. */
export type RNNActivation = 'tanh' | 'relu';

/** Options of `RNNCell`. */
export interface RNNCellOptions extends CellOptions {
  /** φ. Default 'tanh'. */
  readonly activation?: RNNActivation | undefined;
}

const activations: Readonly<Record<RNNActivation, (sum: tf.Tensor) => tf.Tensor>> = { tanh: tf.tanh, relu: tf.relu };

/**
 * The simple recurrent cell: hₜ = φ(xₜ W + hₜ₋₁ U + b), its output is hₜ.
 *
 * With layer norm: hₜ = φ(LN(xₜ W + hₜ₋₁ U; γ) + b).
 *
 * W is `inputWeight` [inputSize, hiddenSize], U `recurrentWeight` [hiddenSize, hiddenSize], b `bias` [hiddenSize].
 *
 * Elman 1990, "Finding structure in time", Cognitive Science 14. Layer norm: Ba, Kiros, Hinton 2016, arXiv:1607.06450,
 * equation 4. ReLU: Le et al. 2015, see `irnn`.
 */
export class RNNCell extends Module implements SequenceCell<RNNState> {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly outputSize: number;
  readonly stateSizes: StateSizes<RNNState>;
  readonly activation: RNNActivation;
  readonly inputWeight: tf.Variable;
  readonly recurrentWeight: tf.Variable;
  readonly bias: tf.Variable | null;
  readonly norm: LayerNorm | null;
  readonly recurrentDropout: Dropout;

  /** @throws ArgumentError when a size, rate or activation lies outside what is allowed */
  constructor({
    inputSize,
    hiddenSize,
    activation = 'tanh',
    bias = true,
    layerNorm = false,
    recurrentDropout = 0,
    inputInitializer = pytorchInitializers.inputInitializer,
    recurrentInitializer = pytorchInitializers.recurrentInitializer,
    biasInitializer = pytorchInitializers.biasInitializer,
    rng = new Rng(0),
  }: RNNCellOptions) {
    super();
    checkSizes('RNNCell', { inputSize, hiddenSize });
    checkChoice('RNNCell', 'activation', activation, ['tanh', 'relu']);
    this.recurrentDropout = new Dropout({ rate: recurrentDropout });
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.outputSize = hiddenSize;
    this.stateSizes = { hidden: hiddenSize };
    this.activation = activation;
    const cell: CellShape = { hiddenSize, gates: ['h'], mergedBiases: 2 };
    this.inputWeight = initialParameter('RNNCell.inputWeight', [inputSize, hiddenSize], shape =>
      inputInitializer(shape, rng.split('inputWeight'), cell),
    );
    this.recurrentWeight = initialParameter('RNNCell.recurrentWeight', [hiddenSize, hiddenSize], shape =>
      recurrentInitializer(shape, rng.split('recurrentWeight'), cell),
    );
    this.bias = bias
      ? initialParameter('RNNCell.bias', [hiddenSize], shape => biasInitializer(shape, rng.split('bias'), cell))
      : null;
    this.norm = layerNorm ? new LayerNorm({ size: hiddenSize, bias: false }) : null;
  }

  /** h₀ = 0. */
  initialState(batchSize: number): RNNState {
    return { hidden: tf.zeros([batchSize, this.hiddenSize]) };
  }

  /**
   * @param input xₜ, float32 [batch, inputSize]
   * @returns output hₜ, float32 [batch, hiddenSize]
   * @throws ShapeError when input or state do not fit
   */
  step(input: tf.Tensor, state: RNNState, options: CallOptions = {}): StepResult<RNNState> {
    checkStep('RNNCell.step', this, input, state);
    return tf.tidy(() => {
      const previous = this.recurrentDropout.call(state.hidden, options);
      const sum = tf.add(tf.matMul(input, this.inputWeight), tf.matMul(previous, this.recurrentWeight)); // [B, H]
      const normalised = this.norm ? this.norm.call(sum) : sum;
      const hidden = activations[this.activation](this.bias ? tf.add(normalised, this.bias) : normalised);
      return { output: tf.clone(hidden), state: { hidden } };
    });
  }

  fuses(options: CallOptions): boolean {
    return this.norm === null && !drops(options, this.recurrentDropout);
  }

  sequence(input: tf.Tensor, { state, lengths, reverse }: FusedOptions<RNNState>): SequenceResult<RNNState> {
    const { activation, inputWeight, recurrentWeight } = this;
    const { output, hidden } = rnnSequence(
      { input, inputWeight, recurrentWeight, bias: this.bias ?? undefined, initialHidden: state?.hidden, lengths },
      { reverse, activation },
    );
    return { output, state: { hidden } };
  }
}
