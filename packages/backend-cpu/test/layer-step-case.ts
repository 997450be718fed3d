import * as tf from '@tensorflow/tfjs-core';
import { runKernel, tensor } from './support.ts';

/** Sizes and make-up of a transformer layer whose steps are taken. */
export interface LayerStepCase {
  readonly batch: number;
  readonly keyHeads: number;
  readonly group: number;
  readonly width: number;
  readonly hidden: number;
  readonly preNorm: boolean;
  readonly rms: boolean;
  readonly gated: boolean;
}

/** Outputs and caches of two steps of a layer. */
export function layerSteps({ batch, keyHeads, group, width, hidden, preNorm, rms, gated }: LayerStepCase): tf.Tensor[] {
  const numHeads = keyHeads * group;
  const [heads, size] = [numHeads * width, numHeads * width + 1];
  const packed = heads + 2 * keyHeads * width;
  // Sums stay near 1, and so does what rounding does to them.
  const weight = (seed: number, rows: number, columns: number) => tensor(seed, [rows, columns], 1 / Math.sqrt(rows));
  const parameters = {
    ...{ attentionGain: tensor(1, [size]), queryKeyValueWeight: weight(2, size, packed) },
    ...{ queryKeyValueBias: tensor(3, [packed]), attentionOutputWeight: weight(4, heads, size) },
    ...{ feedForwardGain: tensor(5, [size]), hiddenWeight: weight(6, size, hidden) },
    ...{ hiddenBias: tensor(7, [hidden]), outputWeight: weight(8, hidden, size) },
    ...(gated ? { gateWeight: weight(9, size, hidden) } : {}),
    ...(rms ? {} : { attentionBias: tensor(10, [size]), feedForwardBias: tensor(11, [size]) }),
  };
  const options = { scale: 0.5, numHeads, numKeyHeads: keyHeads, preNorm, rms, activation: 'gelu' };
  const attributes = { ...options, attentionEpsilon: 1e-5, feedForwardEpsilon: 1e-5 };
  const caches = { keyCache: tf.zeros([batch, keyHeads, 3, width]), valueCache: tf.zeros([batch, keyHeads, 3, width]) };
  const at = (step: number) => ({
    input: tensor(20 + step, [batch, size]),
    lengths: tf.fill([batch], step, 'int32'),
  });
  const name = 'OstinatoTransformerLayerStep';
  const first = runKernel(name, { ...at(0), ...caches, ...parameters }, attributes);
  const between = { keyCache: first[1]!, valueCache: first[2]! };
  return [first[0]!, ...runKernel(name, { ...at(1), ...between, ...parameters }, attributes)];
}
