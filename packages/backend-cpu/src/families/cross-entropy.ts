/**
 * `OstinatoSoftmaxCrossEntropy` and its gradient: integer labels, class weights, smoothing, an ignored label.
 */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { checkIndices } from '../check.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall } from '../kernel-call.ts';

interface CrossEntropyAttributes {
  labelSmoothing: number;
  ignoreIndex: number | null;
}

/** logits [N, V], labels [N], classWeights? [V] → losses [N], logSumExp [N]. */
function crossEntropy(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { logits, labels, classWeights } = inputs as Record<'logits' | 'labels' | 'classWeights', TensorInfo>;
  const { labelSmoothing, ignoreIndex } = attributes as unknown as CrossEntropyAttributes;
  const [rows, classes] = logits.shape as [number, number];
  checkIndices(call, {
    where: 'OstinatoSoftmaxCrossEntropy',
    name: 'labels',
    indices: labels,
    rows,
    size: classes,
    except: ignoreIndex,
  });
  const losses = call.output([rows]);
  const logSumExp = call.output([rows]);
  call.share('cross_entropy_forward', 10 * rows * classes, [
    ...([call.input(logits), call.input(labels), call.optional(classWeights)] as const),
    ...([call.input(losses), call.input(logSumExp), rows, classes] as const),
    ...([labelSmoothing, Number(ignoreIndex !== null), ignoreIndex ?? 0] as const),
  ]);
  return [losses, logSumExp];
}

/** … and logSumExp [N], dLosses [N] → dLogits [N, V]. */
function crossEntropyGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { logits, labels, classWeights, logSumExp, dLosses } = inputs as Record<
    'logits' | 'labels' | 'classWeights' | 'logSumExp' | 'dLosses',
    TensorInfo
  >;
  const { labelSmoothing, ignoreIndex } = attributes as unknown as CrossEntropyAttributes;
  const [rows, classes] = logits.shape as [number, number];
  checkIndices(call, {
    where: 'OstinatoSoftmaxCrossEntropyGrad',
    name: 'labels',
    indices: labels,
    rows,
    size: classes,
    except: ignoreIndex,
  });
  const dLogits = call.output(logits.shape);
  call.share('cross_entropy_backward', 14 * rows * classes, [
    ...([call.input(logits), call.input(labels), call.optional(classWeights), call.input(logSumExp)] as const),
    ...([call.input(dLosses), call.input(dLogits), rows, classes] as const),
    ...([labelSmoothing, Number(ignoreIndex !== null), ignoreIndex ?? 0] as const),
  ]);
  return dLogits;
}

export function defineCrossEntropy(): void {
  defineKernel('OstinatoSoftmaxCrossEntropy', crossEntropy);
  defineKernel('OstinatoSoftmaxCrossEntropyGrad', crossEntropyGradient);
}
