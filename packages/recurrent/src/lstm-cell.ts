import {
  ArgumentError,
  type CallOptions,
  checkNumber,
  Dropout,
  initialParameter,
  LayerNorm,
  Module,
  Rng,
  type StepResult,
} from '@ostinato/core';
import { lstmSequence } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type CellOptions, checkSizes, checkStep, drops, type StateSizes } from './cell-options.ts';
import { type CellInitializer, type CellShape, pytorchInitializers } from './initializers.ts';
import type { FusedOptions, SequenceCell } from './sequence-cell.ts';
import type { SequenceResult } from './unroll.ts';

/** State of an LSTM: `hidden` hₜ, float32 [batch, outputSize]; `cell` cₜ, float32 [batch, hiddenSize]. */
export type LSTMState = { readonly hidden: tf.Tensor; readonly cell: tf.Tensor };

/** Options of `LSTMCell`. */
export interface LSTMCellOptions extends CellOptions {
  /** Width P < H of a projected hidden state (Sak et al. 2014). Default: none, hₜ is as wide as cₜ. */
  readonly projectionSize?: number | undefined;
  /**
   * What the forget gate's bias starts from instead of what `biasInitializer` draws: 1 lets the cell remember from the
   * first step on (Gers et al. 2000; Jozefowicz et al. 2015). Default: as drawn.
   */
  readonly forgetBias?: number | undefined;
}

const gates = ['i', 'f', 'g', 'o'] as const;

/**
 * Long short-term memory:
 *
 *     i, f, o = σ(·), g = tanh(·) of xₜ W + hₜ₋₁ U + b
 *     cₜ = f∘cₜ₋₁ + i∘g
 *     hₜ = o∘tanh(cₜ), times `projection` when there is one
 *
 * W is `inputWeight` [inputSize, 4H], U `recurrentWeight` [P, 4H], b `bias` [4H], with the gates in the order i, f, g, o.
 *
 * With layer norm, i, f, g, o are computed from LN(xₜ W; γₓ) + LN(hₜ₋₁ U; γₕ) + b, each norm over all 4H, and
 * hₜ = o∘tanh(LN(cₜ; γ, β)); the cₜ that is carried on is not normalised.
 *
 * Hochreiter and Schmidhuber 1997, "Long short-term memory", Neural Computation 9; the forget gate: Gers, Schmidhuber,
 * Cummins 2000, "Learning to forget"; projection: Sak, Senior, Beaufays 2014, arXiv:1402.1128; layer norm: Ba, Kiros, Hinton
 * 2016, arXiv:1607.06450, equations 20 to 22.
 */
export class LSTMCell extends Module implements SequenceCell<LSTMState> {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** P with projection, else H. */
  readonly outputSize: number;
  readonly stateSizes: StateSizes<LSTMState>;
  readonly inputWeight: tf.Variable;
  readonly recurrentWeight: tf.Variable;
  readonly bias: tf.Variable | null;
  /** float32 [hiddenSize, projectionSize], or none. */
  readonly projection: tf.Variable | null;
  readonly inputNorm: LayerNorm | null;
  readonly recurrentNorm: LayerNorm | null;
  readonly cellNorm: LayerNorm | null;
  readonly recurrentDropout: Dropout;

  /** @throws ArgumentError when a size or rate lies outside what is allowed */
  constructor({
    inputSize,
    hiddenSize,
    projectionSize,
    bias = true,
    forgetBias,
    layerNorm = false,
    recurrentDropout = 0,
    inputInitializer = pytorchInitializers.inputInitializer,
    recurrentInitializer = pytorchInitializers.recurrentInitializer,
    biasInitializer = pytorchInitializers.biasInitializer,
    rng = new Rng(0),
  }: LSTMCellOptions) {
    super();
    checkSizes('LSTMCell', { inputSize, hiddenSize, ...(projectionSize === undefined ? {} : { projectionSize }) });
    checkProjection(projectionSize, hiddenSize);
    checkForgetBias(forgetBias, bias);
    this.recurrentDropout = new Dropout({ rate: recurrentDropout });
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.outputSize = projectionSize ?? hiddenSize;
    this.stateSizes = { hidden: this.outputSize, cell: hiddenSize };
    const cell: CellShape = { hiddenSize, gates, mergedBiases: 2 };
    const width = 4 * hiddenSize;
    this.inputWeight = initialParameter('LSTMCell.inputWeight', [inputSize, width], shape =>
      inputInitializer(shape, rng.split('inputWeight'), cell),
    );
    this.recurrentWeight = initialParameter('LSTMCell.recurrentWeight', [this.outputSize, width], shape =>
      recurrentInitializer(shape, rng.split('recurrentWeight'), cell),
    );
    const drawBias = forgetBias === undefined ? biasInitializer : withForgetBias(biasInitializer, forgetBias);
    this.bias = bias
      ? initialParameter('LSTMCell.bias', [width], shape => drawBias(shape, rng.split('bias'), cell))
      : null;
    this.projection = projectionSize
      ? initialParameter('LSTMCell.projection', [hiddenSize, projectionSize], shape =>
          inputInitializer(shape, rng.split('projection'), cell),
        )
      : null;
    this.inputNorm = layerNorm ? new LayerNorm({ size: width, bias: false }) : null;
    this.recurrentNorm = layerNorm ? new LayerNorm({ size: width, bias: false }) : null;
    this.cellNorm = layerNorm ? new LayerNorm({ size: hiddenSize }) : null;
  }

  /** h₀ = 0 and c₀ = 0. */
  initialState(batchSize: number): LSTMState {
    return { hidden: tf.zeros([batchSize, this.outputSize]), cell: tf.zeros([batchSize, this.hiddenSize]) };
  }

  /**
   * @param input xₜ, float32 [batch, inputSize]
   * @returns output hₜ, float32 [batch, outputSize]
   * @throws ShapeError when input or state do not fit
   */
  step(input: tf.Tensor, state: LSTMState, options: CallOptions = {}): StepResult<LSTMState> {
    checkStep('LSTMCell.step', this, input, state);
    return tf.tidy(() => {
      const { i, f, g, o } = this.gates(input, state, options);
      const cell = tf.add(tf.mul(f, state.cell), tf.mul(i, g));
      const exposed = tf.mul(o, tf.tanh(this.cellNorm?.call(cell) ?? cell)); // [B, H]
      const hidden = this.projection ? tf.matMul(exposed, this.projection) : exposed; // [B, P]
      return { output: tf.clone(hidden), state: { hidden, cell } };
    });
  }

  /**
   * The gates of a step: i how much is written, f how much is kept, o how much is shown, and g what would be written.
   *
   * @returns each float32 [batch, hiddenSize]
   * @throws ShapeError when input or state do not fit
   */
  gates(input: tf.Tensor, state: LSTMState, options: CallOptions = {}): Record<(typeof gates)[number], tf.Tensor> {
    checkStep('LSTMCell.gates', this, input, state);
    return tf.tidy(() => {
      const previous = this.recurrentDropout.call(state.hidden, options); // [B, P]
      const fromInput = tf.matMul(input, this.inputWeight); // [B, 4H]
      const fromState = tf.matMul(previous, this.recurrentWeight); // [B, 4H]
      const sum = tf.add(
        this.inputNorm?.call(fromInput) ?? fromInput,
        this.recurrentNorm?.call(fromState) ?? fromState,
      );
      const [i, f, g, o] = tf.split(this.bias ? tf.add(sum, this.bias) : sum, 4, 1) as Gates; // each [B, H]
      return { i: tf.sigmoid(i), f: tf.sigmoid(f), g: tf.tanh(g), o: tf.sigmoid(o) };
    });
  }

  fuses(options: CallOptions): boolean {
    return this.cellNorm === null && !drops(options, this.recurrentDropout);
  }

  sequence(input: tf.Tensor, { state, lengths, reverse }: FusedOptions<LSTMState>): SequenceResult<LSTMState> {
    const { output, hidden, cell } = lstmSequence(
      {
        input,
        inputWeight: this.inputWeight,
        recurrentWeight: this.recurrentWeight,
        bias: this.bias ?? undefined,
        initialHidden: state?.hidden,
        initialCell: state?.cell,
        projection: this.projection ?? undefined,
        lengths,
      },
      { reverse },
    );
    return { output, state: { hidden, cell } };
  }
}

type Gates = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];

function checkProjection(projectionSize: number | undefined, hiddenSize: number): void {
  if (projectionSize === undefined || projectionSize < hiddenSize) return;
  throw new ArgumentError({
    where: 'LSTMCell',
    rule: 'projectionSize must be smaller than hiddenSize',
    expected: `< ${hiddenSize}`,
    got: String(projectionSize),
    advice: 'Leave it out, or put a Linear behind the layer.',
  });
}

function checkForgetBias(forgetBias: number | undefined, bias: boolean): void {
  if (forgetBias === undefined) return;
  checkNumber('LSTMCell', 'forgetBias', forgetBias);
  if (!bias) throw new ArgumentError({ where: 'LSTMCell', rule: 'forgetBias needs a bias', got: 'bias: false' });
}

/** What `initializer` draws, with `forgetBias` in the block of the forget gate. */
function withForgetBias(initializer: CellInitializer, forgetBias: number): CellInitializer {
  return (shape, rng, cell) =>
    tf.tidy(() => {
      const [i, , g, o] = tf.split(initializer(shape, rng, cell), gates.length) as Gates;
      return tf.concat([i, tf.fill([cell.hiddenSize], forgetBias), g, o]);
    });
}
