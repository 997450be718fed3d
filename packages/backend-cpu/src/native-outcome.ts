import type { Kernels } from './kernels.ts';

/** Builds of the kernels as native code, best first. */
export type NativeLevel = 'avx512' | 'avx2' | 'neon';

/** Native kernels, or in one sentence why there are none here. */
export type NativeOutcome =
  | { readonly kernels: Kernels; readonly level: NativeLevel; readonly reason: string }
  | { readonly refused: string };
