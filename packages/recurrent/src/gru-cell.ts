import { type CallOptions, Dropout, initialParameter, LayerNorm, Module, Rng, type StepResult } from '@ostinato/core';
import { gruSequence } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type CellOptions, checkSizes, checkStep, drops, type StateSizes } from './cell-options.ts';
import { type CellShape, pytorchInitializers } from './initializers.ts';
import type { FusedOptions, SequenceCell } from './sequence-cell.ts';
import type { SequenceResult } from './unroll.ts';

/** State of a GRU: `hidden` hₜ, float32 [batch, hiddenSize]. */
export type GRUState = { readonly hidden: tf.Tensor };

/** Options of `GRUCell`. */
export interface GRUCellOptions extends CellOptions {
  /**
   * Whether the reset gate acts after the product with U (PyTorch, cuDNN, Keras's default) or on hₜ₋₁ before it (Cho et
   * al. 2014). Default true.
   */
  readonly resetAfter?: boolean | undefined;
}

const gates = ['r', 'z', 'n'] as const;

/**
 * Gated recurrent unit:
 *
 *     r, z = σ(xₜ W + b + hₜ₋₁ U + c)
 *     n = tanh(xₜ Wₙ + bₙ + r∘(hₜ₋₁ Uₙ + cₙ))        reset after (default)
 *     n = tanh(xₜ Wₙ + bₙ + (r∘hₜ₋₁) Uₙ), c = 0       reset before
 *     hₜ = (1 − z)∘n + z∘hₜ₋₁
 *
 * W is `inputWeight` [inputSize, 3H], U `recurrentWeight` [H, 3H], b `bias` [3H], c `recurrentBias` [3H] (reset after only),
 * with the gates in the order r, z, n. The z is that of Cho et al.; Chung et al. 2014,
 * arXiv:1412.3555, swap z and 1 − z.
 *
 * With layer norm every product is normalised, LN(xₜ W; γ) and LN(hₜ₋₁ U; γ), the gates' [2H] and the candidate's [H] apart.
 *
 * Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", arXiv:1406.1078, section 2.3; layer norm: Ba,
 * Kiros, Hinton 2016, arXiv:1607.06450, supplementary material.
 */
export class GRUCell extends Module implements SequenceCell<GRUState> {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly outputSize: number;
  readonly stateSizes: StateSizes<GRUState>;
  readonly resetAfter: boolean;
  readonly inputWeight: tf.Variable;
  readonly recurrentWeight: tf.Variable;
  readonly bias: tf.Variable | null;
  readonly recurrentBias: tf.Variable | null;
  readonly inputGateNorm: LayerNorm | null;
  readonly inputCandidateNorm: LayerNorm | null;
  readonly recurrentGateNorm: LayerNorm | null;
  readonly recurrentCandidateNorm: LayerNorm | null;
  readonly recurrentDropout: Dropout;

  /** @throws ArgumentError when a size or rate lies outside what is allowed */
  constructor({
    inputSize,
    hiddenSize,
    resetAfter = true,
    bias = true,
    layerNorm = false,
    recurrentDropout = 0,
    inputInitializer = pytorchInitializers.inputInitializer,
    recurrentInitializer = pytorchInitializers.recurrentInitializer,
    biasInitializer = pytorchInitializers.biasInitializer,
    rng = new Rng(0),
  }: GRUCellOptions) {
    super();
    checkSizes('GRUCell', { inputSize, hiddenSize });
    this.recurrentDropout = new Dropout({ rate: recurrentDropout });
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.outputSize = hiddenSize;
    this.stateSizes = { hidden: hiddenSize };
    this.resetAfter = resetAfter;
    const cell: CellShape = { hiddenSize, gates, mergedBiases: resetAfter ? 1 : 2 };
    const width = 3 * hiddenSize;
    this.inputWeight = initialParameter('GRUCell.inputWeight', [inputSize, width], shape =>
      inputInitializer(shape, rng.split('inputWeight'), cell),
    );
    this.recurrentWeight = initialParameter('GRUCell.recurrentWeight', [hiddenSize, width], shape =>
      recurrentInitializer(shape, rng.split('recurrentWeight'), cell),
    );
    this.bias = bias
      ? initialParameter('GRUCell.bias', [width], shape => biasInitializer(shape, rng.split('bias'), cell))
      : null;
    this.recurrentBias =
      bias && resetAfter
        ? initialParameter('GRUCell.recurrentBias', [width], shape =>
            biasInitializer(shape, rng.split('recurrentBias'), cell),
          )
        : null;
    const norm = (size: number): LayerNorm | null => (layerNorm ? new LayerNorm({ size, bias: false }) : null);
    this.inputGateNorm = norm(2 * hiddenSize);
    this.inputCandidateNorm = norm(hiddenSize);
    this.recurrentGateNorm = norm(2 * hiddenSize);
    this.recurrentCandidateNorm = norm(hiddenSize);
  }

  /** h₀ = 0. */
  initialState(batchSize: number): GRUState {
    return { hidden: tf.zeros([batchSize, this.hiddenSize]) };
  }

  /**
   * @param input xₜ, float32 [batch, inputSize]
   * @returns output hₜ, float32 [batch, hiddenSize]
   * @throws ShapeError when input or state do not fit
   */
  step(input: tf.Tensor, state: GRUState, options: CallOptions = {}): StepResult<GRUState> {
    checkStep('GRUCell.step', this, input, state);
    return tf.tidy(() => {
      const { z, n } = this.gates(input, state, options);
      const hidden = tf.add(tf.mul(tf.sub(1, z), n), tf.mul(z, state.hidden)); // [B, H]
      return { output: tf.clone(hidden), state: { hidden } };
    });
  }

  /**
   * The gates of a step: r how much of the past the candidate n sees, z how much of it is kept in place of n.
   *
   * @returns each float32 [batch, hiddenSize]
   * @throws ShapeError when input or state do not fit
   */
  gates(input: tf.Tensor, state: GRUState, options: CallOptions = {}): Record<(typeof gates)[number], tf.Tensor> {
    checkStep('GRUCell.gates', this, input, state);
    return tf.tidy(() => {
      const blocks = [2 * this.hiddenSize, this.hiddenSize]; // r and z, n
      const previous = this.recurrentDropout.call(state.hidden, options); // [B, H]
      const [inputGates, inputCandidate] = tf.split(tf.matMul(input, this.inputWeight), blocks, 1) as Pair;
      const [gateWeight, candidateWeight] = tf.split(this.recurrentWeight, blocks, 1) as Pair;
      const [gateBias, candidateBias] = splitBias(this.bias, blocks);
      const [recurrentGateBias, recurrentCandidateBias] = splitBias(this.recurrentBias, blocks);

      const gateSum = tf.add(
        plus(normalise(this.inputGateNorm, inputGates), gateBias),
        plus(normalise(this.recurrentGateNorm, tf.matMul(previous, gateWeight)), recurrentGateBias),
      ); // [B, 2H]
      const [r, z] = tf.split(tf.sigmoid(gateSum), 2, 1) as Pair; // each [B, H]

      const fromState = (hidden: tf.Tensor): tf.Tensor =>
        plus(normalise(this.recurrentCandidateNorm, tf.matMul(hidden, candidateWeight)), recurrentCandidateBias);
      const recurrent = this.resetAfter ? tf.mul(r, fromState(previous)) : fromState(tf.mul(r, previous));
      const n = tf.tanh(tf.add(plus(normalise(this.inputCandidateNorm, inputCandidate), candidateBias), recurrent));
      return { r, z, n };
    });
  }

  fuses(options: CallOptions): boolean {
    return this.inputGateNorm === null && !drops(options, this.recurrentDropout);
  }

  sequence(input: tf.Tensor, { state, lengths, reverse }: FusedOptions<GRUState>): SequenceResult<GRUState> {
    const { output, hidden } = gruSequence(
      {
        input,
        inputWeight: this.inputWeight,
        recurrentWeight: this.recurrentWeight,
        bias: this.bias ?? undefined,
        recurrentBias: this.recurrentBias ?? undefined,
        initialHidden: state?.hidden,
        lengths,
      },
      { reverse, resetAfter: this.resetAfter },
    );
    return { output, state: { hidden } };
  }
}

type Pair = [tf.Tensor, tf.Tensor];

const normalise = (norm: LayerNorm | null, x: tf.Tensor): tf.Tensor => (norm ? norm.call(x) : x);
const plus = (x: tf.Tensor, bias: tf.Tensor | null): tf.Tensor => (bias ? tf.add(x, bias) : x);
const splitBias = (bias: tf.Tensor | null, blocks: number[]): Pair | [null, null] =>
  bias ? (tf.split(bias, blocks) as Pair) : [null, null];
