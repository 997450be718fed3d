import type { TensorInfo } from '@tensorflow/tfjs-core';
import { checkIndices } from '../check.ts';
import type { Attributes, Inputs, KernelCall } from '../kernel-call.ts';
import { biasStrides, integers } from './attention-layout.ts';

interface CachedAttentionAttributes {
  scale: number;
  numHeads: number;
  numKeyHeads: number;
}

/**
 * How many steps of each row have been written into the memory of a cache that this kernel made. Tensors that share it see no more
 * steps than were there when they were made, so the next ones can be written behind the last; a second future of one past finds them
 * taken, and gets a copy. Other tensors are not in this table: they are copied, and so never written.
 */
const written = new WeakMap<object, Int32Array>();

/** packed [B, T, (Hq + 2 Hk) D], keyCache, valueCache [B, Hk, Tmax, D], lengths int32 [B], bias? → output, keyCache, valueCache. */
export function cachedAttention(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { packed, keyCache, valueCache, lengths } = inputs as Record<
    'packed' | 'keyCache' | 'valueCache' | 'lengths',
    TensorInfo
  >;
  const { bias } = inputs as { bias?: TensorInfo };
  const { scale, numHeads, numKeyHeads } = attributes as unknown as CachedAttentionAttributes;
  const [batch, all] = [packed.shape[0]!, packed.shape.at(-1)!];
  const time = packed.shape.length === 2 ? 1 : packed.shape[1]!;
  const [, , maximumTime, width] = keyCache.shape as [number, number, number, number];
  const where = 'OstinatoCachedAttention';
  checkIndices(call, { where, name: 'lengths', indices: lengths, rows: batch, size: maximumTime - time + 1 });
  const starts = Int32Array.from(call.values(lengths)); // a copy: the view may be detached when memory grows
  const keys = nextCache(call, keyCache, starts, time);
  const values = nextCache(call, valueCache, starts, time);
  const output = call.output([...packed.shape.slice(0, -1), numHeads * width]);
  const statistics = call.scratch(2 * batch * numHeads * time);

  const query = call.input(packed);
  const [keysAt, valuesAt] = [call.input(keys), call.input(values)];
  const floats = new Float32Array(call.backend.kernelMemory.buffer);
  for (let row = 0; row < batch; row++) {
    for (let step = 0; step < time; step++) {
      let from = query / 4 + (row * time + step) * all + numHeads * width;
      for (const cache of [keysAt, valuesAt]) {
        for (let head = 0; head < numKeyHeads; head++, from += width) {
          const to = cache / 4 + ((row * numKeyHeads + head) * maximumTime + starts[row]! + step) * width;
          floats.copyWithin(to, from, from + width);
        }
      }
    }
  }

  const most = Math.max(...starts) + time;
  const threads = call.backend.team.threadsFor(4 * batch * numHeads * time * most * width);
  const work = call.scratch(call.kernels.attention_forward_work(maximumTime, width, width, threads));
  const cacheRow = numKeyHeads * maximumTime * width;
  const cachePlace = [cacheRow, maximumTime * width, width];
  // A single step is its heads one below the other, which the kernel reads as one matrix.
  const places = integers(call, [
    ...[time * all, width, time === 1 ? width : all],
    ...cachePlace,
    ...cachePlace,
    ...[time * numHeads * width, width, time === 1 ? width : numHeads * width],
  ]);
  const strides = biasStrides(bias?.shape ?? [0]);
  const biasAt = call.optional(bias);
  const outputAt = call.input(output);
  const attend = (first: number, rows: number, ends: number): void => {
    const back = (floatsAhead: number): number => 4 * first * floatsAhead;
    call.backend.team.run('attention_forward', threads, [
      ...([query + back(time * all), keysAt + back(cacheRow), valuesAt + back(cacheRow)] as const),
      ...([biasAt === 0 ? 0 : biasAt + back(strides[0]), ends] as const),
      ...([outputAt + back(time * numHeads * width), statistics, places] as const),
      ...([rows, numHeads, numKeyHeads, time, maximumTime, width, width, ...strides] as const),
      ...([scale, ends === 0 ? 1 : 0, starts[first]!, 0, 0, 0, work] as const),
    ]);
  };
  const alike = starts.every(start => start === starts[0]);
  if (alike) attend(0, batch, 0);
  else if (time === 1) {
    const ends = starts.map(start => start + 1);
    attend(0, batch, integers(call, Array.from(ends)));
  } else {
    // Every row has a causal offset of its own.
    for (let row = 0; row < batch; row++) attend(row, 1, 0);
  }
  return [output, keys, values];
}

/** The cache with room for the new steps behind those of each row: the same memory, or a copy where someone else's steps lie there. */
export function nextCache(call: KernelCall, cache: TensorInfo, starts: Int32Array, time: number): TensorInfo {
  const ends = written.get(cache.dataId);
  const free = ends?.every((end, row) => end <= starts[row]!);
  const next = free ? call.shared(cache) : call.copyOf(cache);
  written.set(
    next.dataId,
    starts.map(start => start + time),
  );
  return next;
}
