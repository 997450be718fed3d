/**
 * `OstinatoAdam`: one pass over a parameter's gradient and moments.
 */

import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type Attributes, defineKernel, type Inputs, type KernelCall } from '../kernel-call.ts';

interface AdamAttributes {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  firstCorrection: number;
  secondCorrection: number;
}

/** gradient, firstMoment, secondMoment, parameter? (all of one shape) → update, firstMoment, secondMoment. */
function adam(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { gradient, firstMoment, secondMoment, parameter } = inputs as Record<
    'gradient' | 'firstMoment' | 'secondMoment' | 'parameter',
    TensorInfo
  >;
  const rates = attributes as unknown as AdamAttributes;
  const size = util.sizeFromShape(gradient.shape);
  const [update, newFirst, newSecond] = [gradient, firstMoment, secondMoment].map(({ shape }) => call.output(shape));
  const decayed = size > 0 ? call.optional(parameter) : 0;
  call.share('adam', 10 * size, [
    ...([call.input(gradient), call.input(firstMoment), call.input(secondMoment), decayed] as const),
    ...([call.input(update!), call.input(newFirst!), call.input(newSecond!), size] as const),
    ...([rates.learningRate, rates.beta1, rates.beta2, rates.epsilon, rates.weightDecay] as const),
    ...([rates.firstCorrection, rates.secondCorrection] as const),
  ]);
  return [update!, newFirst!, newSecond!];
}

export function defineOptimizers(): void {
  defineKernel('OstinatoAdam', adam);
}
