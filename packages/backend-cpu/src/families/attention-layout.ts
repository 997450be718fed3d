import type { KernelCall } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';

/** Integers in scratch memory. */
export function integers(call: KernelCall, values: readonly number[]): Address {
  const address = call.scratch(values.length);
  new Int32Array(call.backend.kernelMemory.buffer, address, values.length).set(values);
  return address;
}

/** Distance of the steps along each axis of a bias [B, Hq, Tq, Tk], 0 where it is broadcast or absent. */
export function biasStrides(shape: readonly number[]): readonly [number, number, number, number] {
  const [, heads = 1, queryTime = 1, keyTime = 1] = shape;
  const natural = [heads * queryTime * keyTime, queryTime * keyTime, keyTime, 1];
  const [batch, head, query, key] = natural.map((stride, axis) => ((shape[axis] ?? 1) > 1 ? stride : 0));
  return [batch!, head!, query!, key!];
}
