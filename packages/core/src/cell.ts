import * as tf from '@tensorflow/tfjs-core';
import type { CallOptions } from './dropout.ts';
import { selectWhere } from './select-where.ts';

/** Recurrent state: a tensor, or tensors in arrays and plain objects. Every tensor is [batch, ...]. */
export type State = tf.Tensor | readonly State[] | { readonly [name: string]: State };

/** What one step of a cell returns. */
export interface StepResult<S extends State> {
  /** float32 [batch, outputSize]. */
  readonly output: tf.Tensor;
  /** The state after this step. */
  readonly state: S;
}

/**
 * One step of a recurrence: (xₜ, sₜ₋₁) → (yₜ, sₜ). Anything with these members can be unrolled, trained through time and
 * sampled from.
 *
 * `step` is pure in (parameters, input, state, options): state goes in and comes out, and is never kept inside.
 */
export interface Cell<S extends State = State> {
  readonly inputSize: number;
  readonly outputSize: number;
  /** The state before the first step; zeros in the classical cells. The caller disposes it. */
  initialState(batchSize: number): S;
  /** @param input float32 [batch, inputSize] */
  step(input: tf.Tensor, state: S, options?: CallOptions): StepResult<S>;
}

/** The same tree with `transform` applied to every tensor. */
export function mapState<S extends State>(
  state: S,
  transform: (tensor: tf.Tensor, path: string) => tf.Tensor,
  path = '',
): S {
  const below = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
  if (state instanceof tf.Tensor) return transform(state, path) as unknown as S;
  if (Array.isArray(state)) return state.map((child, i) => mapState(child, transform, below(i))) as unknown as S;
  const entries = Object.entries(state as Record<string, State>);
  return Object.fromEntries(
    entries.map(([key, child]) => [key, mapState(child, transform, below(key))]),
  ) as unknown as S;
}

/** The tensors of a state, in the order of its fields. */
export function stateTensors(state: State): tf.Tensor[] {
  if (state instanceof tf.Tensor) return [state];
  return Object.values(state as Readonly<Record<string, State>>).flatMap(stateTensors);
}

/** Disposes every tensor of a state. */
export function disposeState(state: State): void {
  for (const tensor of stateTensors(state)) tensor.dispose();
}

/** Tensor by tensor: `update` in the rows where `mask` (float32 or bool [batch]) is true, `state` elsewhere; see `selectWhere`. */
export function selectRows<S extends State>(mask: tf.Tensor, update: S, state: S): S {
  const previous = new Map<string, tf.Tensor>();
  mapState(state, (tensor, path) => {
    previous.set(path, tensor);
    return tensor;
  });
  return mapState(update, (tensor, path) =>
    tf.tidy(() => {
      const condition = tf.cast(tf.reshape(mask, [-1, ...Array<number>(tensor.rank - 1).fill(1)]), 'bool');
      return selectWhere(tf.broadcastTo(condition, tensor.shape), tensor, previous.get(path)!);
    }),
  );
}
