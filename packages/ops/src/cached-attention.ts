import { checkNumber, checkShape, hasKernel, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { scaledDotProductAttention, wholeBias } from './attention.ts';
import { checkDtype, checkIndices } from './check.ts';
import { checkPacked, type PackedHeads, unpackedHeads } from './packed-attention.ts';

/** Keys and values of the steps so far, with room for more. What lies behind a row's steps is arbitrary. */
export interface AttentionCache {
  /** float32 [B, Hk, maximumTime, D] */
  readonly key: tf.Tensor;
  /** float32 [B, Hk, maximumTime, D] */
  readonly value: tf.Tensor;
  readonly [name: string]: tf.Tensor;
}

/** Arguments of `cachedAttention`. */
export interface CachedAttentionArguments {
  /** Q, K and V of T new steps side by side, float32 [B, T, (Hq + 2 Hk) D], as in `packedAttention`; [B, (Hq + 2 Hk) D] of one step. */
  readonly packed: tf.Tensor;
  readonly cache: AttentionCache;
  /** How many steps each row has in the cache, int32 [B]. */
  readonly lengths: tf.Tensor;
  /** Added to the scaled scores: float32, broadcastable to [B, Hq, T, maximumTime]. */
  readonly bias?: tf.Tensor | undefined;
}

/** Options of `cachedAttention`. */
export interface CachedAttentionOptions extends PackedHeads {
  /** What the products q·k are multiplied with. Default 1/√D. */
  readonly scale?: number | undefined;
  /** A query sees the last so many keys, its own among them. Default: all. */
  readonly window?: number | undefined;
}

/** What `cachedAttention` returns. */
export interface CachedAttentionResult {
  /** float32 [B, T, Hq D], or [B, Hq D] where `packed` is of rank 2. */
  readonly output: tf.Tensor;
  /** The cache with the new steps in it; row b has `lengths[b] + T` now. */
  readonly cache: AttentionCache;
}

/**
 * Attention of T new steps to those in a cache and, causally, to themselves: step i of row b sees the keys 0 … lengths[b] + i. Its
 * time grows with what it attends to and with nothing else.
 *
 * The cache that goes in is still what it was: only what lies behind its steps may be written. An engine with the kernel
 * writes the new steps into the same memory, as long as nobody else went on from the same steps before; else it copies first.
 *
 * Shazeer 2019, arXiv:1911.02150, section 2.4 (incremental attention). Not differentiable: it is meant for generation.
 *
 * @throws ShapeError when shapes or dtypes do not fit; ArgumentError when a row's steps do not fit the cache. Lengths are read back
 * for that on engines whose values lie in main memory; on a GPU they are trusted.
 */
export function cachedAttention(
  { packed, cache, lengths, bias }: CachedAttentionArguments,
  { numHeads, numKeyHeads = numHeads, scale, window }: CachedAttentionOptions,
): CachedAttentionResult {
  const where = 'cachedAttention';
  const [batch, time, width] = checkPacked(where, packed, { numHeads, numKeyHeads }, true);
  checkShape(where, 'cache.key', cache.key, { batch, keyHeads: numKeyHeads, maximumTime: null, width }, 'float32');
  const maximumTime = cache.key.shape[2]!;
  checkShape(where, 'cache.value', cache.value, { batch, keyHeads: numKeyHeads, maximumTime, width }, 'float32');
  checkShape(where, 'lengths', lengths, { batch }, 'int32');
  checkNumber(where, 'time', time, { max: maximumTime });
  checkIndices(where, 'lengths', lengths, { size: maximumTime - time + 1 });
  if (bias) checkDtype(where, 'bias', bias, 'float32');
  if (window !== undefined) checkNumber(where, 'window', window, { integer: true, min: 1 });
  const heads = { numHeads, numKeyHeads };
  const attributes = { ...heads, scale: scale ?? 1 / Math.sqrt(width) };
  // Without a mask nothing is made on the way, and generation pays for every scope.
  if (!bias && window === undefined && hasKernel('OstinatoCachedAttention')) {
    return runCached({ packed, keyCache: cache.key, valueCache: cache.value, lengths }, attributes);
  }
  return tidy(() => {
    const places = (): tf.Tensor => tf.range(0, maximumTime, 1, 'int32'); // [Tmax]
    if (hasKernel('OstinatoCachedAttention')) {
      const near = window === undefined ? undefined : hide(tf.less(agesOf(lengths, time, places()), window));
      const whole = bias && near ? tf.add(near, bias) : (near ?? bias);
      const inputs = { packed, keyCache: cache.key, valueCache: cache.value, lengths };
      return runCached({ ...inputs, bias: wholeBias(whole!) }, attributes);
    }
    const steps = tf.reshape(packed, [batch, time, -1]);
    const result = reference({ packed: steps, cache, lengths, bias }, { ...heads, scale, window }, places());
    return packed.rank === 3 ? result : { ...result, output: tf.reshape(result.output, [batch, -1]) };
  });
}

// The types of tf.tidy leave out results of readonly fields.
const tidy = tf.tidy as <Result>(run: () => Result) => Result;

function runCached(inputs: Record<string, tf.Tensor>, attributes: Record<string, unknown>): CachedAttentionResult {
  const [output, key, value] = runKernel('OstinatoCachedAttention', inputs, attributes);
  return { output: output!, cache: { key: key!, value: value! } };
}

/** How much earlier each key is than each query: int32 [B, 1, T, Tmax]. */
function agesOf(lengths: tf.Tensor, time: number, places: tf.Tensor): tf.Tensor {
  const queries = tf.add(tf.expandDims(lengths, 1), tf.range(0, time, 1, 'int32')); // [B, T]
  return tf.sub(tf.reshape(queries, [lengths.size, 1, time, 1]), places);
}

function hide(visible: tf.Tensor): tf.Tensor {
  return tf.where(visible, 0, -Infinity);
}

/** Plain ops, which make the whole cache anew. */
function reference(
  { packed, cache, lengths, bias }: CachedAttentionArguments,
  { numHeads, numKeyHeads, scale, window }: CachedAttentionOptions & { readonly numKeyHeads: number },
  places: tf.Tensor,
): CachedAttentionResult {
  const [batch, time] = packed.shape as [number, number, number];
  const [, , maximumTime, width] = cache.key.shape as [number, number, number, number];
  const { query, key, value } = unpackedHeads(packed, { numHeads, numKeyHeads });
  const steps = tf.sub(places, tf.expandDims(lengths, 1)); // [B, Tmax]: which new step lies there
  const isNew = tf.logicalAnd(tf.greaterEqual(steps, 0), tf.less(steps, time));
  const placement = tf.cast(tf.equal(tf.expandDims(steps, 2), tf.range(0, time, 1, 'int32')), 'float32'); // [B, Tmax, T]
  const write = (old: tf.Tensor, fresh: tf.Tensor): tf.Tensor => {
    const placed = tf.matMul(placement, tf.reshape(fresh, [batch, time, numKeyHeads * width])); // [B, Tmax, Hk D]
    const heads = tf.transpose(tf.reshape(placed, [batch, maximumTime, numKeyHeads, width]), [0, 2, 1, 3]);
    return tf.where(tf.reshape(isNew, [batch, 1, maximumTime, 1]), heads, old);
  };
  const next = { key: write(cache.key, key), value: write(cache.value, value) };
  const ages = agesOf(lengths, time, places);
  const seen = tf.greaterEqual(ages, 0);
  const hidden = hide(window === undefined ? seen : tf.logicalAnd(seen, tf.less(ages, window)));
  const output = scaledDotProductAttention(
    {
      ...{ query: tf.transpose(query, [0, 2, 1, 3]), key: next.key, value: next.value },
      bias: bias ? tf.add(hidden, bias) : hidden,
    },
    { scale },
  ); // [B, Hq, T, D]
  return { output: tf.reshape(tf.transpose(output, [0, 2, 1, 3]), [batch, time, numHeads * width]), cache: next };
}
