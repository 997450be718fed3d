import type { OptimizerRule } from '@ostinato/ops';
import type * as tf from '@tensorflow/tfjs-core';
import type { TransformState } from './transform.ts';

/**
 * One parameter's step as the links of a chain have put it together so far, in the form that `optimizerStep` of @ostinato/ops makes
 * in one pass: Δθ = −learningRate·(d + weightDecay·θ), with d what the rule gives for min(max(scale·g, −limit), limit) +
 * gradientDecay·θ. Without a rule it stands for its gradient, so far as that is changed.
 */
export interface PlannedStep {
  readonly gradient: tf.Tensor;
  /** float32 scalar. */
  readonly scale?: tf.Tensor | undefined;
  readonly limit?: number | undefined;
  readonly gradientDecay?: number | undefined;
  readonly descent?: PlannedDescent | undefined;
}

/** The part of a step that an optimizer adds. */
export interface PlannedDescent {
  readonly rule: OptimizerRule;
  /** Tensors of the state, by the names of the rule. */
  readonly slots: Readonly<Record<string, tf.Tensor>>;
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** What a transform's `plan` returns. */
export interface Plan<S extends TransformState> {
  /** By path. A parameter without an entry stays as it is. */
  readonly steps: ReadonlyMap<string, PlannedStep>;
  /**
   * The state after the step, with the tensors of the old one: those that are slots of a step are replaced when it is made, all
   * others stay.
   */
  readonly state: S;
}

/** The steps with a change that some link makes to each gradient; undefined when one of them cannot take it any more. */
export function planEach(
  steps: ReadonlyMap<string, PlannedStep>,
  change: (step: PlannedStep, path: string) => PlannedStep | undefined,
): Map<string, PlannedStep> | undefined {
  const changed = new Map<string, PlannedStep>();
  for (const [path, step] of steps) {
    const next = change(step, path);
    if (next === undefined) return undefined;
    changed.set(path, next);
  }
  return changed;
}
