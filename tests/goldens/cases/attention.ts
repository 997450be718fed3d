import { type ScaledDotProductAttentionOptions, scaledDotProductAttention } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, compareWithGradients, type Golden } from '../golden.ts';

interface Config {
  readonly is_causal?: boolean;
  readonly scale?: number;
  readonly window?: number;
}

const notThere: Record<string, string> = {
  multi: 'multi-head attention',
  additive: 'additive attention',
  luong: 'Luong attention',
};

/** Cases of the folder `attention`: the op itself (`sdpa_*`). */
export function runAttentionCase(golden: Golden): CaseResult {
  const kind = golden.name.split('/').at(-1)!.split('_')[0]!;
  if (kind !== 'sdpa') return { skipped: notThere[kind] ?? kind };
  const { is_causal: causal, scale, window } = golden.config as unknown as Config;
  // PyTorch's `is_causal` lets query i see the keys 0 … i, however many keys there are.
  const options: ScaledDotProductAttentionOptions = { scale, causal, causalOffset: 0 };
  return compareWithGradients(golden, ({ query, key, value, mask }) => {
    const bias = mask?.dtype === 'bool' ? tf.where(mask, 0, -Infinity) : mask;
    const band = window === undefined ? undefined : slidingWindow(query!.shape[2]!, window);
    return {
      output: scaledDotProductAttention({ query: query!, key: key!, value: value!, bias: bias ?? band }, options),
    };
  });
}

/** Query t sees the keys t − window + 1 … t. */
function slidingWindow(time: number, window: number): tf.Tensor {
  const steps = tf.range(0, time, 1, 'int32');
  const age = tf.sub(tf.reshape(steps, [time, 1]), steps); // [Tq, Tk]
  return tf.where(tf.logicalAnd(tf.greaterEqual(age, 0), tf.less(age, window)), 0, -Infinity);
}
