import { checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Schedule } from './schedules.ts';
import { type GradientTransform, type PathPredicate, type Stateless, stateless } from './transform.ts';

/** Multiplies every update by the schedule's value, e.g. a warm-up behind any optimizer. */
export function scaleBySchedule(schedule: Schedule): GradientTransform<Stateless> {
  return stateless(
    (gradient, _, { step }) => tf.mul(gradient, schedule(step)),
    (planned, _, { step }) => {
      const { descent } = planned;
      return descent && { ...planned, descent: { ...descent, learningRate: descent.learningRate * schedule(step) } };
    },
  );
}

/** Options of `weightDecay`. */
export interface WeightDecayOptions {
  /** Which parameters decay, by path. Default all. Biases and gains usually do not. */
  readonly mask?: PathPredicate | undefined;
}

/**
 * Adds rate·parameter to the gradient: the gradient of ½·rate·‖parameter‖², that is L2 regularisation, when it stands before
 * the optimizer. Adam divides it by the root of the second moment with the rest; decay that it does not touch is `adamw`'s.
 */
export function weightDecay(
  rate: number,
  { mask = () => true }: WeightDecayOptions = {},
): GradientTransform<Stateless> {
  checkNumber('weightDecay', 'rate', rate, { min: 0 });
  return stateless(
    (gradient, path, { parameters }) =>
      mask(path) ? tf.add(gradient, tf.mul(parameters.get(path)!, rate)) : tf.clone(gradient),
    (step, path) => {
      if (!mask(path)) return step;
      return step.descent ? undefined : { ...step, gradientDecay: (step.gradientDecay ?? 0) + rate };
    },
  );
}
