import { mapState, type State, stateTensors } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** What one step returns: as `StepOutput`, and where it looked in the source, if that is known. */
export interface AttendingStepOutput<S extends State> {
  /** float32 [batch, vocabulary]: scores of the next token. */
  readonly logits: tf.Tensor;
  /** The state after the step. A tensor of the old state may be in it again. */
  readonly state: S;
  /** float32 [batch, source]: share of attention that each place of the source got, summing to 1. */
  readonly attention?: tf.Tensor | undefined;
}

/** As `Step`, and may tell where it looked. */
export type AttendingStep<S extends State> = (tokens: Int32Array, state: S) => AttendingStepOutput<S>;

/** Values of one step, read back: rows of [batch, …], flat. */
export interface StepValues {
  readonly logits: Float32Array;
  readonly vocabulary: number;
  readonly attention: Float32Array | undefined;
  readonly source: number;
}

/** The state of a search, whose rows are repeated, moved and dropped. The tensors that it was given stay the caller's. */
export class CarriedState<S extends State> {
  readonly #step: AttendingStep<S>;
  readonly #borrowed: ReadonlySet<tf.Tensor>;
  #state: S;

  constructor(step: AttendingStep<S>, initialState: S) {
    this.#step = step;
    this.#borrowed = new Set(stateTensors(initialState));
    this.#state = initialState;
  }

  /** @param isMoved whether to move the tensor at a path of the state; the others stay as they are */
  select(rows: Int32Array, isMoved: (path: string) => boolean = () => true): void {
    let moved: S | undefined;
    tf.tidy(() => {
      const indices = tf.tensor1d(rows, 'int32');
      moved = mapState(this.#state, (tensor, path) => (isMoved(path) ? tf.gather(tensor, indices) : tensor));
      return stateTensors(moved);
    });
    this.#replace(moved!);
  }

  /** @param check is given the logits and throws when they will not do */
  async step(tokens: Int32Array, check: (logits: tf.Tensor) => void): Promise<StepValues> {
    let output: AttendingStepOutput<S> | undefined;
    tf.tidy(() => {
      output = this.#step(tokens, this.#state);
      const { logits, state, attention } = output;
      return [logits, ...stateTensors(state), ...(attention ? [attention] : [])];
    });
    const { logits, state, attention } = output!;
    this.#replace(state);
    try {
      check(logits);
      return {
        logits: (await logits.data()) as Float32Array,
        vocabulary: logits.shape[1]!,
        attention: (await attention?.data()) as Float32Array | undefined,
        source: attention?.shape[1] ?? 0,
      };
    } finally {
      this.#dispose([logits, ...(attention ? [attention] : [])], stateTensors(state));
    }
  }

  dispose(): void {
    this.#dispose(stateTensors(this.#state), []);
  }

  #replace(state: S): void {
    const old = stateTensors(this.#state);
    this.#state = state;
    this.#dispose(old, stateTensors(state));
  }

  #dispose(tensors: readonly tf.Tensor[], kept: readonly tf.Tensor[]): void {
    for (const tensor of new Set(tensors)) {
      if (!this.#borrowed.has(tensor) && !kept.includes(tensor)) tensor.dispose();
    }
  }
}
