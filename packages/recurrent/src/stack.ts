import {
  ArgumentError,
  atPath,
  type CallOptions,
  type Cell,
  checkNumber,
  checkShape,
  Dropout,
  Module,
  Rng,
  ShapeError,
  type StepResult,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { bidirectional, checkMerge, type Merge } from './bidirectional.ts';
import { type CellOptions, checkState, type NamedState } from './cell-options.ts';
import { type Lengths, type Resets, readLengths, resetRows } from './resets.ts';
import { runSequence, type SequenceCell, stepOnce } from './sequence-cell.ts';
import { tidy } from './tidy.ts';
import { checkSequence, type SequenceResult } from './unroll.ts';

/** Options that `RNN`, `LSTM` and `GRU` share, besides those of their cells. */
export interface StackOptions extends CellOptions {
  /** Layers on top of each other, each reading the outputs of the one below. Default 1. */
  readonly numLayers?: number | undefined;
  /** Whether every layer has a second cell that reads backward in time. Default false. */
  readonly bidirectional?: boolean | undefined;
  /** How the outputs of both directions become one. Default 'concat'. */
  readonly merge?: Merge | undefined;
  /** Rate of dropout on the input of the first layer. Default 0. */
  readonly inputDropout?: number | undefined;
  /**
   * Rate of dropout between layers: on the input of every layer but the first. With one layer it does nothing (PyTorch warns
   * then); `inputDropout` is for the first. Default 0.
   */
  readonly dropout?: number | undefined;
  /**
   * Whether `inputDropout` and `dropout` draw one mask for all time steps of a row (Gal and Ghahramani 2016,
   * arXiv:1512.05287), as `recurrentDropout` always does. Default false.
   */
  readonly variational?: boolean | undefined;
}

/** Options of `call`. */
export interface StackCallOptions<S extends NamedState> extends CallOptions {
  /**
   * State before the first step, as `initialState` and `call` return it: one entry per layer, or two when bidirectional
   * (layer 0 forward, layer 0 backward, layer 1 forward, …). It stays the caller's. Default: zeros.
   */
  readonly state?: readonly S[] | undefined;
  /**
   * Row b has the steps 0 … lengths[b]−1 (right padding; 0 is allowed). Outputs at later steps are zero and final states are
   * those of the row's own last step. Default: all steps.
   */
  readonly lengths?: Lengths | undefined;
  /** Where sequences begin inside the window: the state of that row starts from zero there. Default: nowhere. */
  readonly resets?: Resets | undefined;
}

/** One layer: a cell, and in bidirectional layers a second one. */
export class LayerPair<C extends Module> extends Module {
  readonly forward: C;
  readonly backward: C | null;

  constructor(forward: C, backward: C | null) {
    super();
    this.forward = forward;
    this.backward = backward;
  }
}

type Build<C> = (inputSize: number, rng: Rng) => C;

/**
 * Layers of one kind of cell on top of each other: what `RNN`, `LSTM` and `GRU` have in common.
 *
 * Every layer and direction runs in its cell's fused op; with layer norm or recurrent dropout, step by step. Without the
 * backward direction the whole stack is itself a `Cell`: it can be stepped, unrolled and sampled from.
 */
export abstract class RecurrentStack<S extends NamedState, C extends Module & SequenceCell<S>>
  extends Module
  implements Cell<readonly S[]>
{
  readonly inputSize: number;
  readonly outputSize: number;
  readonly hiddenSize: number;
  readonly merge: Merge;
  readonly layers: readonly LayerPair<C>[];
  readonly inputDropout: Dropout;
  readonly dropout: Dropout;
  /** Name of the class, for error messages. */
  protected readonly kind: string;

  protected constructor(
    kind: string,
    {
      inputSize,
      hiddenSize,
      numLayers = 1,
      bidirectional = false,
      merge = 'concat',
      inputDropout = 0,
      dropout = 0,
      variational = false,
      rng = new Rng(0),
    }: StackOptions,
    build: Build<C>,
  ) {
    super();
    this.kind = kind;
    checkNumber(kind, 'numLayers', numLayers, { integer: true, min: 1 });
    checkNumber(kind, 'inputDropout', inputDropout, { min: 0, below: 1 });
    checkNumber(kind, 'dropout', dropout, { min: 0, below: 1 });
    checkMerge(kind, merge);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.merge = merge;
    this.inputDropout = new Dropout({ rate: inputDropout, variational });
    this.dropout = new Dropout({ rate: dropout, variational });
    let width = inputSize;
    this.layers = Array.from({ length: numLayers }, (_, index) => {
      const layerRng = rng.split(index);
      const forward = build(width, layerRng.split('forward'));
      const backward = bidirectional ? build(width, layerRng.split('backward')) : null;
      width = forward.outputSize * (backward && merge === 'concat' ? 2 : 1);
      return new LayerPair(forward, backward);
    });
    this.outputSize = width;
  }

  /** Zeros for every layer and direction. The caller disposes them (`disposeState`). */
  initialState(batchSize: number): readonly S[] {
    return this.#cells().map(cell => cell.initialState(batchSize));
  }

  /**
   * Runs the whole window.
   *
   * @param input float32 [batch, time, inputSize], with at least one step
   * @returns output float32 [batch, time, outputSize]; state: of every layer and direction after its last step. The caller
   *   owns both.
   * @throws ShapeError or ArgumentError when input, state, lengths or resets do not fit, or training has no rng
   */
  call(
    input: tf.Tensor,
    { state, lengths, resets, training, rng }: StackCallOptions<S> = {},
  ): SequenceResult<readonly S[]> {
    const where = `${this.kind}.call`;
    const [batch, time] = checkSequence(where, input, this.inputSize);
    resetRows(where, resets, batch, time);
    if (state) this.#checkState(where, state, batch);
    const ends = readLengths(where, lengths, batch, time);
    return tidy(() => {
      const states: S[] = [];
      let output = input;
      this.layers.forEach((layer, index) => {
        const layerRng = rng?.split(index);
        const dropout = index === 0 ? this.inputDropout : this.dropout;
        const shared = { lengths: ends, resets, training };
        atPath(`layers.${index}`, () => {
          const dropped = dropout.call(output, { training, rng: layerRng?.split('dropout') });
          const { forward, backward } = layer;
          if (backward) {
            const given = state && { forward: state[2 * index]!, backward: state[2 * index + 1]! };
            const options = { ...shared, merge: this.merge, state: given, rng: layerRng };
            const result = bidirectional({ forward, backward }, dropped, options);
            output = result.output;
            states.push(result.state.forward, result.state.backward);
          } else {
            const options = { ...shared, state: state?.[index], rng: layerRng?.split('forward') };
            const result = runSequence(where, forward, dropped, options);
            output = result.output;
            states.push(result.state);
          }
        });
      });
      return { output, state: states };
    });
  }

  /**
   * Runs one time step of all layers: `call` on a window of one step, for generation.
   *
   * Dropout draws from `rng` as in `call`. With the same `rng` at every step, the masks of variational and recurrent dropout
   * are the same at every step, as they should be; plain dropout needs its own `rng` at every step.
   *
   * @param input float32 [batch, inputSize]
   * @returns output float32 [batch, outputSize]; the next state
   * @throws ArgumentError when the layers are bidirectional; ShapeError when input or state do not fit
   */
  step(input: tf.Tensor, state: readonly S[], options: CallOptions = {}): StepResult<readonly S[]> {
    const where = `${this.kind}.step`;
    if (this.layers.some(layer => layer.backward)) {
      throw new ArgumentError({
        where,
        rule: 'the layers must read in one direction: a backward cell would have to know the future',
        expected: 'bidirectional: false',
        got: 'bidirectional: true',
        advice: 'Use `call` on the whole sequence.',
      });
    }
    checkShape(where, 'input', input, { batch: null, inputSize: this.inputSize }, 'float32');
    this.#checkState(where, state, input.shape[0]!);
    return tidy(() => {
      if (options.training) {
        const result = this.call(tf.expandDims(input, 1), { ...options, state }); // [B, 1, D]
        return { output: tf.squeeze(result.output, [1]), state: result.state };
      }
      let output = input;
      const next = this.layers.map(({ forward }, index) => {
        const result = atPath(`layers.${index}`, () => stepOnce(forward, output, state[index]!));
        output = result.output;
        return result.state;
      });
      return { output, state: next };
    });
  }

  /** The cells, in the order of the state. */
  #cells(): C[] {
    return this.layers.flatMap(({ forward, backward }) => (backward ? [forward, backward] : [forward]));
  }

  #checkState(where: string, state: readonly S[], batch: number): void {
    const cells = this.#cells();
    if (!Array.isArray(state) || state.length !== cells.length) {
      throw new ShapeError({
        where,
        rule: 'state must have one entry per layer and direction',
        expected: String(cells.length),
        got: Array.isArray(state) ? String(state.length) : typeof state,
      });
    }
    cells.forEach((cell, index) => {
      checkState(where, `state.${index}`, state[index]!, cell.stateSizes, batch);
    });
  }
}
