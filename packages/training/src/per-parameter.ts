import { checkNumber, type Gradients, type Parameters } from '@ostinato/core';
import { type OptimizerRule, optimizerUpdate } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import type { PlannedDescent, PlannedStep } from './plan.ts';
import { type Rate, rateAt } from './schedules.ts';
import type { GradientTransform, TransformContext } from './transform.ts';

/** State of an optimizer that treats every parameter by itself. */
export interface PerParameterState<Slot extends string> {
  /** How many updates a parameter has had. Parameters without a gradient fall behind, as in PyTorch. */
  readonly counts: ReadonlyMap<string, number>;
  /** Tensors of each kind, e.g. `firstMoment`, by path. */
  readonly slots: Readonly<Record<Slot, ReadonlyMap<string, tf.Tensor>>>;
  readonly [name: string]: PerParameterState<Slot>['counts' | 'slots'];
}

/** What the rule of one parameter's update depends on. */
interface RuleInput {
  readonly path: string;
  /** Which update of this parameter this is, from 1. */
  readonly count: number;
}

/** How one parameter is updated. */
interface RuleOutput {
  readonly rule: OptimizerRule;
  /** λ, decoupled. Default 0. */
  readonly weightDecay?: number | undefined;
}

/** An optimizer by the rule for one parameter. */
export interface PerParameterRule<Slot extends string> {
  /** For errors. */
  readonly name: string;
  readonly learningRate: Rate;
  readonly slots: readonly Slot[];
  /** The rule's name of a slot where it is not ours. */
  readonly ruleSlots?: Readonly<Partial<Record<Slot, string>>> | undefined;
  /** A slot before the first update. Default zeros of the parameter's shape. */
  readonly initial?: ((slot: Slot, parameter: tf.Variable) => tf.Tensor) | undefined;
  readonly rule: (input: RuleInput) => RuleOutput;
}

/** The transform of a rule: keeps the books (slots by path, counts, parameters without a gradient) around the equations. */
export function perParameter<Slot extends string>({
  name,
  learningRate,
  slots: slotNames,
  ruleSlots,
  initial = (_, parameter) => tf.zeros(parameter.shape),
  rule,
}: PerParameterRule<Slot>): GradientTransform<PerParameterState<Slot>> {
  // A schedule is checked where it is used: at every step.
  if (typeof learningRate !== 'function') checkNumber(name, 'learningRate', learningRate, { min: 0 });
  const eachSlot = <Value>(value: (slot: Slot) => Value): Record<Slot, Value> =>
    Object.fromEntries(slotNames.map(slot => [slot, value(slot)])) as Record<Slot, Value>;
  const inRule = (slot: Slot): string => ruleSlots?.[slot] ?? slot;

  const init = (parameters: Parameters): PerParameterState<Slot> => ({
    counts: new Map([...parameters.keys()].map(path => [path, 0])),
    slots: eachSlot(slot => new Map([...parameters].map(([path, parameter]) => [path, initial(slot, parameter)]))),
  });

  /** The descent of every parameter with a gradient, and the counts after it. */
  const descents = (
    gradients: { has(path: string): boolean },
    state: PerParameterState<Slot>,
    { parameters, step }: TransformContext,
  ): { descents: Map<string, PlannedDescent>; counts: Map<string, number> } => {
    const rate = rateAt(learningRate, step);
    checkNumber(name, 'learningRate', rate, { min: 0 });
    const counts = new Map<string, number>();
    const planned = new Map<string, PlannedDescent>();
    for (const path of parameters.keys()) {
      const count = state.counts.get(path)! + (gradients.has(path) ? 1 : 0);
      counts.set(path, count);
      if (!gradients.has(path)) continue;
      const { rule: ofParameter, weightDecay = 0 } = rule({ path, count });
      planned.set(path, {
        rule: ofParameter,
        slots: Object.fromEntries(slotNames.map(slot => [inRule(slot), state.slots[slot].get(path)!])),
        learningRate: rate,
        weightDecay,
      });
    }
    return { descents: planned, counts };
  };

  return {
    init,
    update(gradients: Gradients, state, context) {
      const { descents: planned, counts } = descents(gradients, state, context);
      const updates = new Map<string, tf.Tensor>();
      const slots = eachSlot(() => new Map<string, tf.Tensor>());
      for (const [path, parameter] of context.parameters) {
        const descent = planned.get(path);
        if (descent) {
          const result = optimizerUpdate({ gradient: gradients.get(path)!, parameter, ...descent });
          updates.set(path, result.update);
          for (const slot of slotNames) slots[slot].set(path, result.slots[inRule(slot)]!);
        } else {
          for (const slot of slotNames) slots[slot].set(path, tf.clone(state.slots[slot].get(path)!));
        }
      }
      return { updates, state: { counts, slots } };
    },
    plan(steps, state, context) {
      if ([...steps.values()].some(step => step.descent)) return undefined;
      const { descents: planned, counts } = descents(steps, state, context);
      const complete = new Map<string, PlannedStep>();
      for (const [path, descent] of planned) complete.set(path, { ...steps.get(path)!, descent });
      return { steps: complete, state: { counts, slots: state.slots } };
    },
    learningRate: step => rateAt(learningRate, step),
  };
}
