import { atPath, type CallOptions, type Cell, checkShape, Module, type State } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Lengths, readLengths } from './mask.ts';
import type { MemoryAttention } from './memory-attention.ts';
import { MultiplicativeAttention } from './multiplicative-attention.ts';
import { tidy } from './tidy.ts';

/** Options of `AttentionDecoder`. */
export interface AttentionDecoderOptions<S extends State> {
  /** Width of the inputs: vectors of target tokens. */
  readonly inputSize: number;
  /**
   * What looks at the memory. With `AdditiveAttention` the decoder is Bahdanau's, with `MultiplicativeAttention` Luong's; its querySize
   * is the outputSize of the cell.
   */
  readonly attention: MemoryAttention;
  /** Makes the recurrent cell for the width that it reads: `inputSize => new GRU({ inputSize, hiddenSize })`. */
  readonly cell: (inputSize: number) => Cell<S> & Module;
  /** Luong's: whether the cell reads the last attentional vector beside its input. Bahdanau's cell always reads the context. Default true. */
  readonly inputFeeding?: boolean | undefined;
}

/** What the decoder carries from step to step: every tensor is [batch, …]. */
export interface AttentionDecoderState<S extends State = State> {
  readonly cell: S;
  /** What the next step asks or reads: float32 [batch, ·]. */
  readonly feed: tf.Tensor;
  /** float32 [batch, source, memorySize] */
  readonly memory: tf.Tensor;
  /** The memory as queries meet it. */
  readonly keys: tf.Tensor;
  /** int32 [batch] */
  readonly memoryLengths: tf.Tensor;
  readonly [name: string]: State;
}

/** What one step returns. The caller owns all of it. */
export interface AttentionDecoderStep<S extends State = State> {
  /** float32 [batch, outputSize] */
  readonly output: tf.Tensor;
  /** float32 [batch, source]: where this step looked. */
  readonly weights: tf.Tensor;
  readonly state: AttentionDecoderState<S>;
}

/** What `call` returns. The caller owns all of it. */
export interface AttentionDecoderResult<S extends State = State> {
  /** float32 [batch, time, outputSize] */
  readonly output: tf.Tensor;
  /** float32 [batch, time, source] */
  readonly weights: tf.Tensor;
  readonly state: AttentionDecoderState<S>;
}

/**
 * A recurrent decoder that looks at a memory at every step.
 *
 * Bahdanau (additive): the last hidden state asks, and the cell reads the answer.
 *
 *     c = attend(hₜ₋₁)      hₜ = cell([xₜ; c], hₜ₋₁)      output = [hₜ; c]
 *
 * Luong (multiplicative): the new hidden state asks; with input feeding the cell reads the last output.
 *
 *     hₜ = cell([xₜ; oₜ₋₁], hₜ₋₁)      c = attend(hₜ)      oₜ = tanh(W_c [c; hₜ])
 *
 * Bahdanau, Cho, Bengio 2015, arXiv:1409.0473, section 3.1; Luong, Pham, Manning 2015, arXiv:1508.04025, sections 3 and 3.3.
 */
export class AttentionDecoder<S extends State = State> extends Module {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly attention: MemoryAttention;
  readonly inputFeeding: boolean;
  readonly cell: Cell<S> & Module;

  /** @throws ArgumentError when the cell does not read what it is given; ShapeError from the first step when sizes do not fit */
  constructor({ inputSize, attention, cell, inputFeeding = true }: AttentionDecoderOptions<S>) {
    super();
    const luong = attention instanceof MultiplicativeAttention;
    const fed = luong ? (inputFeeding ? attention.outputSize : 0) : attention.memorySize;
    this.inputSize = inputSize;
    this.attention = attention;
    this.inputFeeding = luong && inputFeeding;
    this.cell = cell(inputSize + fed);
    this.outputSize = luong ? attention.outputSize : this.cell.outputSize + attention.memorySize;
  }

  /**
   * The state before the first step. The caller disposes it (`disposeState`).
   *
   * @param memory float32 [batch, source, memorySize]
   * @param options `lengths`: how many steps of each memory count, default all; `cell`: what the cell starts from, default its own
   * initial state, and it stays the caller's; `feed`: what the first step asks (Bahdanau; default the hidden state of the last layer of `cell`)
   * or reads (Luong, with input feeding; default zeros), and it stays the caller's
   */
  initialState(
    memory: tf.Tensor,
    { lengths, cell, feed }: { lengths?: Lengths | undefined; cell?: S | undefined; feed?: tf.Tensor | undefined } = {},
  ): AttentionDecoderState<S> {
    const where = 'AttentionDecoder.initialState';
    checkShape(
      where,
      'memory',
      memory,
      { batch: null, source: null, memorySize: this.attention.memorySize },
      'float32',
    );
    const [batch, source] = memory.shape as [number, number];
    const width = this.#combines ? this.#combines.outputSize : this.cell.outputSize;
    const begin = feed ?? (this.#combines ? undefined : lastHidden(cell));
    if (begin) checkShape(where, 'feed', begin, { batch, width }, 'float32');
    return tidy(() => {
      const all = lengths ?? new Int32Array(batch).fill(source);
      return {
        cell: cell ?? this.cell.initialState(batch),
        feed: begin ? tf.clone(begin) : tf.zeros([batch, width]),
        memory: tf.clone(memory),
        keys: this.attention.project(memory),
        memoryLengths: tf.clone(readLengths(where, 'lengths', all, batch)!),
      };
    });
  }

  /**
   * One step.
   *
   * @param input float32 [batch, inputSize]
   * @throws ShapeError when input or state do not fit
   */
  step(input: tf.Tensor, state: AttentionDecoderState<S>, options: CallOptions = {}): AttentionDecoderStep<S> {
    const batch = state.feed.shape[0]!;
    checkShape('AttentionDecoder.step', 'input', input, { batch, inputSize: this.inputSize }, 'float32');
    return tidy(() => {
      const ask = (query: tf.Tensor) => {
        const lengths = state.memoryLengths;
        const found = atPath('attention', () => this.attention.attend(tf.expandDims(query, 1), state, { lengths }));
        return { context: tf.squeeze(found.context, [1]), weights: tf.squeeze(found.weights, [1]) };
      };
      const move = (...parts: tf.Tensor[]) => {
        const x = parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
        return atPath('cell', () => this.cell.step(x, state.cell, options));
      };
      const luong = this.#combines;
      if (luong) {
        const next = this.inputFeeding ? move(input, state.feed) : move(input);
        const { context, weights } = ask(next.output);
        const output = luong.combine(context, next.output);
        return { output, weights, state: { ...state, cell: next.state, feed: tf.clone(output) } };
      }
      const { context, weights } = ask(state.feed);
      const next = move(input, context);
      const output = tf.concat([next.output, context], 1);
      return { output, weights, state: { ...state, cell: next.state, feed: tf.clone(next.output) } };
    });
  }

  /**
   * All steps of a target that is known: what `step` returns one after the other.
   *
   * @param input float32 [batch, time, inputSize]
   * @throws ShapeError when input or state do not fit
   */
  call(input: tf.Tensor, state: AttentionDecoderState<S>, options: CallOptions = {}): AttentionDecoderResult<S> {
    const batch = state.feed.shape[0]!;
    checkShape('AttentionDecoder.call', 'input', input, { batch, time: null, inputSize: this.inputSize }, 'float32');
    return tidy(() => {
      const outputs: tf.Tensor[] = [];
      const weights: tf.Tensor[] = [];
      let current = state;
      for (const [t, x] of tf.unstack(input, 1).entries()) {
        const next = this.step(x, current, { training: options.training, rng: options.rng?.split(t) });
        outputs.push(next.output);
        weights.push(next.weights);
        current = next.state;
      }
      return { output: tf.stack(outputs, 1), weights: tf.stack(weights, 1), state: current };
    });
  }

  get #combines(): MultiplicativeAttention | null {
    return this.attention instanceof MultiplicativeAttention ? this.attention : null;
  }
}

/** The hidden state of a layer, of several that of the last. */
function lastHidden(cell: State | undefined): tf.Tensor | undefined {
  const last = (Array.isArray(cell) ? cell.at(-1) : cell) as { readonly hidden?: unknown } | undefined;
  return last?.hidden instanceof tf.Tensor ? last.hidden : undefined;
}
