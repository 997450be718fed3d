import {
  ArgumentError,
  type Axis,
  checkChoice,
  checkNumber,
  checkShape,
  type DropoutOptions,
  dropout,
  type FusedOp,
  hasKernel,
  runFused,
  runKernel,
  ShapeError,
  selectWhere,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkDtype, checkIndices } from './check.ts';

/** Kernel contract of `scaledDotProductAttention`. */
const attentionOp: FusedOp = {
  kernelName: 'OstinatoAttention',
  inputs: ['query', 'key', 'value', 'bias', 'keyLengths'],
  savedOutputs: [true, true],
  reserved: 1,
  gradient([dOutput], saved, attributes) {
    const names = [...attentionOp.inputs, 'output', 'reserve'];
    const inputs = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
    const gradients = runKernel('OstinatoAttentionGrad', { ...inputs, dOutput: dOutput! }, attributes);
    const differentiable = attentionOp.inputs.filter(name => name !== 'keyLengths');
    return Object.fromEntries(differentiable.map((name, i) => [name, gradients[i]!]));
  },
};

/** Arguments of `scaledDotProductAttention`. */
export interface ScaledDotProductAttentionArguments {
  /** Q, float32 [B, Hq, Tq, D]; with `layout: 'BTHD'` all three have heads and time the other way round. */
  readonly query: tf.Tensor;
  /** K, float32 [B, Hk, Tk, D]; Hk divides Hq, and query head h reads key head ⌊h Hk / Hq⌋. */
  readonly key: tf.Tensor;
  /** V, float32 [B, Hk, Tk, Dv]. */
  readonly value: tf.Tensor;
  /**
   * Added to the scaled scores, with a gradient of its own: float32, broadcastable to [B, Hq, Tq, Tk]. −Infinity forbids a key, so
   * any mask can be written as one: `tf.where(mayAttend, 0, -Infinity)`.
   */
  readonly bias?: tf.Tensor | undefined;
  /** How many keys count in each row of the batch, int32 [B], each in 0 … Tk; all Tk when absent. What lies behind is not read. */
  readonly keyLengths?: tf.Tensor | undefined;
}

/** Options of `scaledDotProductAttention`. */
export interface ScaledDotProductAttentionOptions {
  /** What the products q·k are multiplied with. Default 1/√D. */
  readonly scale?: number | undefined;
  /** A query attends to no later key: query i to the keys 0 … i + causalOffset. Default false. */
  readonly causal?: boolean | undefined;
  /**
   * How many keys come before the first query's own, for `causal`. Default 0, and only where Tq = Tk: elsewhere conventions differ,
   * and it must be said. Tk − Tq is what a cache of keys needs, whose last Tq are the queries' own (as in FlashAttention); 0 is
   * `is_causal` of PyTorch.
   */
  readonly causalOffset?: number | undefined;
  /**
   * `'BHTD'`: heads before time, as above and as in PyTorch; `'BTHD'`: query [B, Tq, Hq, D], key [B, Tk, Hk, D], value [B, Tk, Hk, Dv]
   * and output [B, Tq, Hq, Dv], which are what projections make without a transposition. Bias and weights stay [B, Hq, Tq, Tk].
   * Default `'BHTD'`.
   */
  readonly layout?: 'BHTD' | 'BTHD' | undefined;
  /** Dropout on the weights: the mask is that of `dropout` for all weights [B, Hq, Tq, Tk]. Default: none. */
  readonly dropout?: DropoutOptions | undefined;
}

/** The option that asks for the weights too. They take B Hq Tq Tk numbers, and the reference makes them on every engine. */
export interface WithWeights {
  readonly returnWeights: true;
}

/** The output and the weights that it is made with. */
export interface WeightedAttention {
  /** float32 [B, Hq, Tq, Dv] */
  readonly output: tf.Tensor;
  /** float32 [B, Hq, Tq, Tk], before dropout: rows sum to 1, or to 0 where there is no key to attend to. */
  readonly weights: tf.Tensor;
}

/**
 * Scaled dot-product attention, with heads side by side:
 *
 *     O = softmax(scale Q Kᵀ + bias) V
 *
 * A query that may attend to no key at all gives zeros, and all gradients through it are zero. An engine with the kernel works by
 * blocks and never holds all Tq × Tk scores (Rabe and Staats 2021, arXiv:2112.05682; Dao et al. 2022, arXiv:2205.14135); the
 * reference does.
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1; heads in groups that share keys and values: Ainslie et al. 2023,
 * arXiv:2305.13245.
 *
 * @returns float32 [B, Hq, Tq, Dv], or [B, Tq, Hq, Dv] with `layout: 'BTHD'`
 * @throws ShapeError when shapes or dtypes do not fit; ArgumentError when an option or a length is out of range, or causalOffset is
 * missing where Tq ≠ Tk. Lengths are read back for that on engines whose values lie in main memory; on a GPU they are trusted.
 */
export function scaledDotProductAttention(
  attention: ScaledDotProductAttentionArguments,
  options?: ScaledDotProductAttentionOptions & { readonly returnWeights?: undefined },
): tf.Tensor;
/** The output and the weights, both with gradients: for inspection, and for losses on the weights. */
export function scaledDotProductAttention(
  attention: ScaledDotProductAttentionArguments,
  options: ScaledDotProductAttentionOptions & WithWeights,
): WeightedAttention;
export function scaledDotProductAttention(
  attention: ScaledDotProductAttentionArguments,
  options: ScaledDotProductAttentionOptions & { readonly returnWeights?: true | undefined } = {},
): tf.Tensor | WeightedAttention {
  const { returnWeights = false, dropout: drop, layout = 'BHTD' } = options;
  checkChoice('scaledDotProductAttention', 'layout', layout, ['BHTD', 'BTHD']);
  const sizes = checkAttention(attention, options);
  const { scale = 1 / Math.sqrt(sizes.width), causal = false, causalOffset = 0 } = options;
  return tf.tidy(() => {
    const bias = attention.bias && wholeBias(attention.bias);
    // Beyond these bounds, all keys or none are visible.
    const offset = Math.min(Math.max(causalOffset, -sizes.queryTime), sizes.keyTime);
    if (!returnWeights && hasKernel(attentionOp.kernelName)) {
      return runAttention({ ...attention, bias }, { ...{ scale, causal, causalOffset: offset, drop, layout } });
    }
    const swap = (x: tf.Tensor): tf.Tensor => (layout === 'BTHD' ? tf.transpose(x, [0, 2, 1, 3]) : x);
    const { query, key, value, keyLengths } = attention;
    const inputs = { query: swap(query), key: swap(key), value: swap(value), bias, keyLengths };
    const { output, weights } = reference(inputs, { scale, causal, offset, drop });
    return returnWeights ? { output: swap(output), weights } : swap(output);
  });
}

/** A bias of rank 4. */
export function wholeBias(bias: tf.Tensor): tf.Tensor {
  return bias.rank === 4 ? bias : tf.reshape(bias, [...new Array<number>(4 - bias.rank).fill(1), ...bias.shape]);
}

/** The kernel, with its gradient on the tape. For `layout: 'packed'`, `query` holds all three, and the others are absent. */
export function runAttention(
  inputs: { readonly [Name in keyof ScaledDotProductAttentionArguments]?: tf.Tensor | undefined },
  options: {
    readonly scale: number;
    readonly causal: boolean;
    readonly causalOffset: number;
    readonly drop: DropoutOptions | undefined;
    readonly layout: 'BHTD' | 'BTHD' | 'packed';
    readonly numHeads?: number;
    readonly numKeyHeads?: number;
  },
): tf.Tensor {
  const { drop, numHeads = 0, numKeyHeads = 0, ...attributes } = options;
  const dropout = { dropoutRate: drop?.rate ?? 0, dropoutKey: drop?.key ?? [0, 0] };
  return runFused(attentionOp, inputs, { ...attributes, ...dropout, numHeads, numKeyHeads })[0]!;
}

/** The sizes that are not checked but follow. */
interface AttentionSizes {
  readonly queryTime: number;
  readonly keyTime: number;
  readonly width: number;
}

function checkAttention(
  { query, key, value, bias, keyLengths }: ScaledDotProductAttentionArguments,
  { scale = 1, causal = false, causalOffset, dropout: drop, layout = 'BHTD' }: ScaledDotProductAttentionOptions,
): AttentionSizes {
  const where = 'scaledDotProductAttention';
  const headsFirst = layout === 'BHTD';
  const axes = (
    batch: Axis,
    heads: [string, Axis],
    time: [string, Axis],
    width: [string, Axis],
  ): Record<string, Axis> =>
    Object.fromEntries([['batch', batch], ...(headsFirst ? [heads, time] : [time, heads]), width]);
  const shapeOf = (tensor: tf.Tensor): [number, number, number, number] => {
    const [batch, second, third, width] = tensor.shape as [number, number, number, number];
    return headsFirst ? [batch, second, third, width] : [batch, third, second, width];
  };
  checkShape(where, 'query', query, axes(null, ['queryHeads', null], ['queryTime', null], ['width', null]), 'float32');
  const [batch, queryHeads, queryTime, width] = shapeOf(query);
  checkShape(where, 'key', key, axes(batch, ['keyHeads', null], ['keyTime', null], ['width', width]), 'float32');
  const [, keyHeads, keyTime] = shapeOf(key);
  const valueAxes = axes(batch, ['keyHeads', keyHeads], ['keyTime', keyTime], ['valueWidth', null]);
  checkShape(where, 'value', value, valueAxes, 'float32');
  for (const [name, { shape }] of Object.entries({ query, key, value })) {
    if (!shape.includes(0)) continue;
    throw new ShapeError({ where, rule: `${name} must have no empty axis`, got: `[${shape.join(', ')}]` });
  }
  if (queryHeads % keyHeads !== 0) {
    const rule = 'the number of query heads must be a multiple of the number of key heads';
    throw new ShapeError({ where, rule, got: `${queryHeads} and ${keyHeads}` });
  }
  const sizes = { batch, queryHeads, queryTime, keyTime };
  checkMasks(where, { bias, keyLengths }, { scale, causal, causalOffset, dropout: drop }, sizes);
  return { queryTime, keyTime, width };
}

/** Checks what does not depend on the layout. */
export function checkMasks(
  where: string,
  { bias, keyLengths }: Pick<ScaledDotProductAttentionArguments, 'bias' | 'keyLengths'>,
  { scale = 1, causal = false, causalOffset, dropout: drop }: ScaledDotProductAttentionOptions,
  { batch, queryHeads, queryTime, keyTime }: { batch: number; queryHeads: number; queryTime: number; keyTime: number },
): void {
  if (bias) {
    checkDtype(where, 'bias', bias, 'float32');
    const scores = [batch, queryHeads, queryTime, keyTime];
    const fits = bias.rank <= 4 && bias.shape.every((size, i) => size === 1 || size === scores[4 - bias.rank + i]);
    if (!fits) {
      const rule = 'bias must be broadcastable to [batch, queryHeads, queryTime, keyTime]';
      throw new ShapeError({ where, rule, expected: `[${scores.join(', ')}]`, got: `[${bias.shape.join(', ')}]` });
    }
  }
  checkNumber(where, 'scale', scale);
  if (drop) checkNumber(where, 'dropout.rate', drop.rate, { min: 0, below: 1 });
  if (causalOffset !== undefined) checkNumber(where, 'causalOffset', causalOffset, { integer: true });
  else if (causal && queryTime !== keyTime) {
    throw new ArgumentError({
      where,
      rule: 'causal needs causalOffset when queries and keys differ in number',
      got: `${queryTime} and ${keyTime}`,
      advice: `Pass ${keyTime - queryTime} when the queries' own keys are the last, 0 when they are the first.`,
    });
  }
  if (keyLengths) {
    checkShape(where, 'keyLengths', keyLengths, { batch }, 'int32');
    checkIndices(where, 'keyLengths', keyLengths, { size: keyTime + 1 });
  }
}

/** How the reference attends: options with their defaults. */
interface ReferenceOptions {
  readonly scale: number;
  readonly causal: boolean;
  readonly offset: number;
  readonly drop: DropoutOptions | undefined;
}

/** Plain ops, with all scores at once. The heads of a group are stacked as rows, so that nothing is repeated. */
function reference(
  { query, key, value, bias, keyLengths }: ScaledDotProductAttentionArguments,
  { scale, causal, offset, drop }: ReferenceOptions,
): WeightedAttention {
  const [batch, queryHeads, queryTime, width] = query.shape as [number, number, number, number];
  const [, keyHeads, keyTime, valueWidth] = value.shape as [number, number, number, number];
  const rows = (queryHeads / keyHeads) * queryTime;
  const positions = tf.range(0, keyTime, 1, 'int32'); // [Tk]
  const valid = keyLengths && tf.less(positions, tf.reshape(keyLengths, [batch, 1])); // [B, Tk]
  const masks: tf.Tensor[] = [];
  if (valid) masks.push(tf.reshape(valid, [batch, 1, 1, keyTime]));
  if (causal) {
    const last = tf.range(offset, queryTime + offset, 1, 'int32'); // of the keys that a query sees
    masks.push(tf.lessEqual(positions, tf.reshape(last, [queryTime, 1])));
  }
  if (bias) masks.push(constantOf(bias, x => tf.notEqual(x, -Infinity)));
  const hidden = masks.length > 0;
  const visible = (): tf.Tensor => masks.reduce((all, mask) => tf.logicalAnd(all, mask)); // broadcastable to the scores
  const seesAny = (): tf.Tensor => tf.any(visible(), -1, true);
  const sighted = hidden && (bias ? constantOf(bias, seesAny) : seesAny());

  // What does not count becomes zero first, so that a NaN in it stays there: NaN times a weight of zero would still be NaN.
  const counted = valid && tf.reshape(valid, [batch, 1, keyTime, 1]);
  const clean = (x: tf.Tensor): tf.Tensor => (counted ? selectWhere(counted, x, tf.zerosLike(x)) : x);
  const seeing = (x: tf.Tensor): tf.Tensor => (sighted ? selectWhere(sighted, x, tf.zerosLike(x)) : x);
  const queries = tf.reshape(seeing(query), [batch, keyHeads, rows, width]);
  const products = tf.reshape(tf.matMul(queries, clean(key), false, true), [batch, queryHeads, queryTime, keyTime]);
  const scaled = tf.mul(products, scale);
  const scores = bias ? tf.add(scaled, bias) : scaled;
  const weights = hidden ? maskedSoftmax(scores, visible) : tf.softmax(scores);
  const kept = drop ? dropout(weights, drop) : weights;
  const sums = tf.matMul(tf.reshape(kept, [batch, keyHeads, rows, keyTime]), clean(value)); // [B, Hk, rows, Dv]
  return { output: seeing(tf.reshape(sums, [batch, queryHeads, queryTime, valueWidth])), weights };
}

/** What `compute` makes of a tensor, as a constant: comparisons have no gradient in TensorFlow.js, not even zero. */
function constantOf(tensor: tf.Tensor, compute: (tensor: tf.Tensor) => tf.Tensor): tf.Tensor {
  return tf.customGrad((input: unknown) => ({
    value: compute(input as tf.Tensor),
    gradFunc: () => tf.zerosLike(tensor),
  }))(tensor);
}

/** Stands for −∞ in the scores: even a row of nothing else has a softmax without NaN, which the mask then makes zero. */
const lowest = -3e38;

/** p = softmax over the last axis of the visible scores, 0 elsewhere. Its gradient is p ∘ (dp − Σ p ∘ dp). */
function maskedSoftmax(scores: tf.Tensor, visible: () => tf.Tensor): tf.Tensor {
  const softmax = tf.customGrad((...args: unknown[]) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    const mask = visible();
    const weights = tf.mul(tf.softmax(tf.where(mask, input, lowest)), tf.cast(mask, 'float32'));
    save([weights]);
    return {
      value: weights,
      gradFunc: (dWeights: tf.Tensor, [saved]: tf.Tensor[]) => {
        const product = tf.mul(saved!, dWeights);
        return tf.sub(product, tf.mul(saved!, tf.sum(product, -1, true)));
      },
    };
  });
  return softmax(scores);
}
