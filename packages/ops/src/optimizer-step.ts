import { ArgumentError, checkChoice, checkNumber, checkShape, hasKernel, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkRule, direction, type OptimizerRule, ruleNumbers, slotsOfRule } from './optimizer-rules.ts';

/** One optimizer step of one parameter θ. Tensors are float32 and, but for `scale`, of one shape. */
export interface OptimizerStepArguments {
  /** g */
  readonly gradient: tf.Tensor;
  /** θ */
  readonly parameter: tf.Tensor;
  /** What the rule remembers, by the names that it says. */
  readonly slots: Readonly<Record<string, tf.Tensor>>;
  readonly rule: OptimizerRule;
  /** η */
  readonly learningRate: number;
  /** λ, decoupled: a part of the update that the rule does not see. Default 0. */
  readonly weightDecay?: number | undefined;
  /** s, a scalar: what clipping by a norm multiplies the gradient by. Default 1. */
  readonly scale?: tf.Tensor | undefined;
  /** c, the largest magnitude that s·g may have. Default none. */
  readonly limit?: number | undefined;
  /** γ of L2 regularisation, which the rule takes for a part of the gradient. Default 0. */
  readonly gradientDecay?: number | undefined;
}

/** What `optimizerUpdate` returns; the caller owns the tensors. */
export type OptimizerUpdateResult = {
  /** What to add to θ. */
  readonly update: tf.Tensor;
  readonly slots: Record<string, tf.Tensor>;
};

/** What `optimizerStep` returns for each parameter; the caller owns the tensors. */
export type OptimizerStepResult = {
  /** θ + Δθ */
  readonly parameter: tf.Tensor;
  readonly slots: Record<string, tf.Tensor>;
};

/**
 * The update of one parameter, which is not made: with g′ = min(max(s·g, −c), c) + γθ and the direction d that the rule gives for g′
 * and the slots,
 *
 *     Δθ = −η (d + λθ)
 *
 * Decoupled decay: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2. The rules have their sources with them.
 *
 * One kernel where the backend has it. Not differentiable, as the ops below: they are meant for the outside of a tape.
 *
 * @throws ShapeError when shapes differ or a tensor is not float32; ArgumentError when a number is outside its range, a slot missing or unknown
 */
export function optimizerUpdate(step: OptimizerStepArguments): OptimizerUpdateResult {
  checkStep('optimizerUpdate', step);
  return tf.tidy(() => {
    if (!hasKernel('OstinatoOptimizerUpdate')) return referenceUpdate(step);
    const [update, ...slots] = runSteps('OstinatoOptimizerUpdate', [step]);
    return { update: update!, slots: named(step, slots) };
  });
}

/**
 * θ + Δθ and the new slots of all parameters, in one pass over memory where the backend has the kernel, and one launch.
 *
 * The caller gives parameters and slots up: dispose them, or assign the results to the variables, and do not read them before.
 * Where nobody else has a tensor on their memory (a clone, a reshape), the results are that memory, written over; where somebody has,
 * they are new memory. When it throws, everything is as it was.
 *
 * @throws as `optimizerUpdate`
 */
export function optimizerStep(steps: readonly OptimizerStepArguments[]): OptimizerStepResult[] {
  for (const step of steps) checkStep('optimizerStep', step);
  if (steps.length === 0) return [];
  return tf.tidy(() => {
    if (!stepsInPlace()) {
      return steps.map(step => {
        const { update, slots } = tf.tidy(() => referenceUpdate(step));
        return { parameter: tf.add(step.parameter, update), slots };
      });
    }
    const outputs = runSteps('OstinatoOptimizerStep', steps);
    let next = 0;
    return steps.map(step => {
      const parameter = outputs[next++]!;
      const slots = named(step, outputs.slice(next));
      next += Object.keys(slots).length;
      return { parameter, slots };
    });
  });
}

/**
 * √Σ Δθ² over all parameters: how long the step would be that `optimizerStep` makes, which is not made. A float32 scalar, on the
 * device.
 *
 * @throws as `optimizerUpdate`
 */
export function optimizerStepNorm(steps: readonly OptimizerStepArguments[]): tf.Scalar {
  for (const step of steps) checkStep('optimizerStepNorm', step);
  return tf.tidy(() => {
    if (steps.length === 0) return tf.scalar(0);
    if (hasKernel('OstinatoOptimizerNorm')) return runSteps('OstinatoOptimizerNorm', steps)[0] as tf.Scalar;
    return euclideanNorm(steps.map(step => referenceUpdate(step).update));
  });
}

/** √Σ x² over all elements of all tensors: a float32 scalar, on the device; 0 for none. Throws ShapeError unless they are float32. */
export function euclideanNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  for (const tensor of tensors) checkAlike('euclideanNorm', 'tensor', tensor, tensor);
  return tf.tidy(() => {
    if (tensors.length === 0) return tf.scalar(0);
    if (hasKernel('OstinatoNorm')) return runKernel('OstinatoNorm', tensors as never)[0] as tf.Scalar;
    return tf.sqrt(tf.addN(tensors.map(tensor => tf.sum(tf.square(tensor)) as tf.Scalar)));
  });
}

/** Whether `optimizerStep` writes over parameters and slots on the active backend, rather than make new ones. */
export function stepsInPlace(): boolean {
  return hasKernel('OstinatoOptimizerStep');
}

function referenceUpdate({
  gradient,
  parameter,
  slots,
  rule,
  learningRate,
  weightDecay = 0,
  scale,
  limit = Infinity,
  gradientDecay = 0,
}: OptimizerStepArguments): OptimizerUpdateResult {
  const scaled = scale ? tf.mul(gradient, scale) : gradient;
  const limited = limit < Infinity ? tf.clipByValue(scaled, -limit, limit) : scaled;
  const seen = gradientDecay > 0 ? tf.add(limited, tf.mul(parameter, gradientDecay)) : limited;
  const [descent, next] = direction(rule, seen, slots);
  const decayed = weightDecay > 0 ? tf.add(descent, tf.mul(parameter, weightDecay)) : descent;
  return { update: tf.mul(decayed, -learningRate), slots: next };
}

/** The names of the slots that a step has, in the order of the kernels. */
function presentSlots({ rule, slots }: OptimizerStepArguments): string[] {
  return slotsOfRule[rule.kind].names.filter(name => slots[name] !== undefined);
}

function named(step: OptimizerStepArguments, outputs: readonly tf.Tensor[]): Record<string, tf.Tensor> {
  return Object.fromEntries(presentSlots(step).map((name, i) => [name, outputs[i]!]));
}

function runSteps(kernelName: string, steps: readonly OptimizerStepArguments[]): tf.Tensor[] {
  const absent = tf.tensor1d([], 'float32');
  const inputs = steps.flatMap(({ gradient, parameter, scale, slots, rule }) => {
    const [first, second, third] = slotsOfRule[rule.kind].names.map(name => slots[name] ?? absent);
    return [gradient, parameter, scale ?? absent, first ?? absent, second ?? absent, third ?? absent];
  });
  const attributes = steps.map(step => {
    const { rule, learningRate, weightDecay = 0, gradientDecay = 0, limit = Infinity } = step;
    const present = slotsOfRule[rule.kind].names.map(name => step.slots[name] !== undefined);
    return { kind: rule.kind, learningRate, weightDecay, gradientDecay, limit, present, ...ruleNumbers(rule) };
  });
  return runKernel(kernelName, inputs as never, { steps: attributes });
}

function checkStep(where: string, step: OptimizerStepArguments): void {
  const { gradient, parameter, slots, rule, weightDecay = 0, gradientDecay = 0, scale, limit = Infinity } = step;
  checkChoice(where, 'rule', rule.kind, Object.keys(slotsOfRule));
  checkRule(where, rule);
  checkNumber(where, 'learningRate', step.learningRate);
  checkNumber(where, 'weightDecay', weightDecay, { min: 0 });
  checkNumber(where, 'gradientDecay', gradientDecay, { min: 0 });
  if (limit !== Infinity) checkNumber(where, 'limit', limit, { above: 0 });
  checkAlike(where, 'gradient', gradient, parameter);
  checkAlike(where, 'parameter', parameter, parameter);
  if (scale) checkShape(where, 'scale', scale, {}, 'float32');
  const { names, required } = slotsOfRule[rule.kind];
  for (const [i, name] of names.entries()) {
    if (slots[name]) checkAlike(where, `the slot ${name}`, slots[name], parameter);
    else if (i < required) {
      throw new ArgumentError({ where, rule: `the rule '${rule.kind}' needs the slot ${name}`, got: 'none' });
    }
  }
  const unknown = Object.keys(slots).find(name => !names.includes(name));
  if (unknown !== undefined) {
    const expected = names.join(' | ') || 'none';
    throw new ArgumentError({ where, rule: `unknown slot of the rule '${rule.kind}'`, expected, got: unknown });
  }
}

function checkAlike(where: string, name: string, tensor: tf.Tensor, like: tf.Tensor): void {
  if (tensor.dtype === 'float32' && tf.util.arraysEqual(tensor.shape, like.shape)) return;
  checkShape(where, name, tensor, Object.fromEntries(like.shape.map((size, i) => [`axis${i}`, size])), 'float32');
}
