import { checkNumber, type Gradients, type Parameters } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Rate, rateAt } from './schedules.ts';
import type { GradientTransform, TransformContext, TransformResult } from './transform.ts';

/** State of an optimizer that treats every parameter by itself. */
export interface PerParameterState<Slot extends string> {
  /** How many updates a parameter has had. Parameters without a gradient fall behind, as in PyTorch. */
  readonly counts: ReadonlyMap<string, number>;
  /** Tensors of each kind, e.g. `firstMoment`, by path. */
  readonly slots: Readonly<Record<Slot, ReadonlyMap<string, tf.Tensor>>>;
  readonly [name: string]: PerParameterState<Slot>['counts' | 'slots'];
}

/** What the update rule of one parameter is computed from. */
interface RuleInput<Slot extends string> {
  readonly gradient: tf.Tensor;
  readonly parameter: tf.Variable;
  readonly path: string;
  /** The tensors that the parameter's last update left. */
  readonly slots: Readonly<Record<Slot, tf.Tensor>>;
  readonly learningRate: number;
  /** Which update of this parameter this is, from 1. */
  readonly count: number;
}

/** One parameter's update and what it leaves for the next: fresh tensors. */
interface RuleOutput<Slot extends string> {
  readonly update: tf.Tensor;
  readonly slots: Readonly<Record<Slot, tf.Tensor>>;
}

/** An optimizer by the equations for one parameter. */
export interface PerParameterRule<Slot extends string> {
  /** For errors. */
  readonly name: string;
  readonly learningRate: Rate;
  readonly slots: readonly Slot[];
  /** A slot before the first update. Default zeros of the parameter's shape. */
  readonly initial?: ((slot: Slot, parameter: tf.Variable) => tf.Tensor) | undefined;
  /** Runs in a tidy. */
  readonly rule: (input: RuleInput<Slot>) => RuleOutput<Slot>;
}

/** The transform of a rule: keeps the books (slots by path, counts, parameters without a gradient) around the equations. */
export function perParameter<Slot extends string>({
  name,
  learningRate,
  slots: slotNames,
  initial = (_, parameter) => tf.zeros(parameter.shape),
  rule,
}: PerParameterRule<Slot>): GradientTransform<PerParameterState<Slot>> {
  // A schedule is checked where it is used: at every step.
  if (typeof learningRate !== 'function') checkNumber(name, 'learningRate', learningRate, { min: 0 });
  const eachSlot = <Value>(value: (slot: Slot) => Value): Record<Slot, Value> =>
    Object.fromEntries(slotNames.map(slot => [slot, value(slot)])) as Record<Slot, Value>;

  const init = (parameters: Parameters): PerParameterState<Slot> => ({
    counts: new Map([...parameters.keys()].map(path => [path, 0])),
    slots: eachSlot(slot => new Map([...parameters].map(([path, parameter]) => [path, initial(slot, parameter)]))),
  });

  const update = (
    gradients: Gradients,
    state: PerParameterState<Slot>,
    { parameters, step }: TransformContext,
  ): TransformResult<PerParameterState<Slot>> => {
    const rate = rateAt(learningRate, step);
    checkNumber(name, 'learningRate', rate, { min: 0 });
    const updates = new Map<string, tf.Tensor>();
    const counts = new Map<string, number>();
    const slots = eachSlot(() => new Map<string, tf.Tensor>());
    for (const [path, parameter] of parameters) {
      const old = eachSlot(slot => state.slots[slot].get(path)!);
      const gradient = gradients.get(path);
      const count = state.counts.get(path)! + (gradient ? 1 : 0);
      counts.set(path, count);
      if (gradient) {
        const input = { gradient, parameter, path, slots: old, learningRate: rate, count };
        const result = tf.tidy(() => rule(input) as unknown as tf.TensorContainer) as unknown as RuleOutput<Slot>;
        updates.set(path, result.update);
        for (const slot of slotNames) slots[slot].set(path, result.slots[slot]);
      } else {
        for (const slot of slotNames) slots[slot].set(path, tf.clone(old[slot]));
      }
    }
    return { updates, state: { counts, slots } };
  };

  return { init, update, learningRate: step => rateAt(learningRate, step) };
}

/** rate·old + (1 − rate)·value. */
export function decayed(old: tf.Tensor, value: tf.Tensor, rate: number): tf.Tensor {
  return tf.add(tf.mul(old, rate), tf.mul(value, 1 - rate));
}
