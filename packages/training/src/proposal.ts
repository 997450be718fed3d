import type { Parameters } from '@ostinato/core';
import { type OptimizerStepArguments, optimizerStep, optimizerStepNorm } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import type { Plan, PlannedStep } from './plan.ts';
import { mapTransformState, stateTensorsOf, type TransformResult, type TransformState } from './transform.ts';

/**
 * An update that is not made yet. `commit` makes it, once, and throws ArgumentError when it was made or discarded before, or
 * when the optimizer has gone on without it; an update that cannot be made for want of memory changes nothing. `discard` frees it,
 * and does nothing when there is nothing left to free.
 *
 * Where the backend updates in place, the update is computed as it is made; from the parameters as they are then. Asking for
 * `updates` computes it at once, into memory of its own.
 */
export interface Proposal {
  /** What would be added to each parameter. */
  readonly updates: ReadonlyMap<string, tf.Tensor>;
  /** How many parameters it updates. */
  readonly size: number;
  /** The Euclidean norm of all updates, seen as one long vector: a float32 scalar, left on the device. */
  norm(): tf.Scalar;
  commit(): void;
  discard(): void;
}

/** Adds updates to parameters. All that needs memory comes before the first assignment. */
export function addUpdates(parameters: Parameters, updates: ReadonlyMap<string, tf.Tensor>): void {
  const values = tf.tidy(() => {
    const sums = new Map<tf.Variable, tf.Tensor>();
    for (const [path, update] of updates) {
      const parameter = parameters.get(path)!;
      sums.set(parameter, tf.add(sums.get(parameter) ?? parameter, update));
    }
    return [...sums] as unknown as tf.TensorContainer;
  }) as unknown as [tf.Variable, tf.Tensor][];
  for (const [parameter, value] of values) {
    parameter.assign(value);
    value.dispose();
  }
}

/** What a transform's `update` gives; nothing that it makes is left when it throws. */
export function computeUpdate(compute: () => TransformResult<TransformState>): TransformResult<TransformState> {
  let result: TransformResult<TransformState> | undefined;
  tf.tidy(() => {
    result = compute();
    return [...result.updates.values(), ...stateTensorsOf(result.state)];
  });
  return result!;
}

/** What a transform's `plan` gives; the tensors that it makes for the steps belong to the caller. */
export function computePlan(compute: () => Plan<TransformState> | undefined): Plan<TransformState> | undefined {
  let plan: Plan<TransformState> | undefined;
  tf.tidy(() => {
    plan = compute();
    return plan ? plannedTensors(plan.steps) : [];
  });
  return plan;
}

/** The tensors that transforms have made for steps, each once. */
function plannedTensors(steps: ReadonlyMap<string, PlannedStep>): tf.Tensor[] {
  return [...new Set([...steps.values()].flatMap(({ scale }) => scale ?? []))];
}

/** Frees what transforms have made for a plan that is done with. */
export function disposePlan(plan: Plan<TransformState>): void {
  tf.dispose(plannedTensors(plan.steps));
}

function stepArguments(parameters: Parameters, steps: ReadonlyMap<string, PlannedStep>): OptimizerStepArguments[] {
  return [...steps].map(([path, { gradient, scale, limit, gradientDecay, descent }]) => ({
    ...{ gradient, parameter: parameters.get(path)!, scale, limit, gradientDecay },
    // Without an optimizer the gradient itself is the update.
    ...(descent ?? { rule: { kind: 'descent' }, slots: {}, learningRate: -1 }),
  }));
}

/** The norm of the updates that a plan would make. */
export function planNorm(parameters: Parameters, plan: Plan<TransformState>): tf.Scalar {
  return optimizerStepNorm(stepArguments(parameters, plan.steps));
}

/** Makes the steps of a plan. Returns the new state; the old one's tensors are in it or gone. When it throws, nothing has changed. */
export function makeSteps(parameters: Parameters, plan: Plan<TransformState>): TransformState {
  const results = optimizerStep(stepArguments(parameters, plan.steps));
  const replaced = new Map<tf.Tensor, tf.Tensor>();
  for (const [index, [path, { descent }]] of [...plan.steps].entries()) {
    const { parameter, slots } = results[index]!;
    parameters.get(path)!.assign(parameter);
    parameter.dispose();
    for (const [name, slot] of Object.entries(slots)) replaced.set(descent!.slots[name]!, slot);
  }
  tf.dispose([...replaced.keys()]);
  return mapTransformState(
    plan.state,
    leaf =>
      new Map(
        [...leaf].map(([path, value]) => [path, typeof value === 'number' ? value : (replaced.get(value) ?? value)]),
      ) as ReadonlyMap<string, tf.Tensor>,
  );
}
