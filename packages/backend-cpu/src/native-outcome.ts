import type { Kernels } from './kernels.ts';

/** Builds of the kernels as native code, best first. */
export type NativeLevel = 'avx512' | 'avx2' | 'neon';

/** How a worker opens the library that this thread has opened. Stands here so that a page gets no byte of it. */
export interface NativeReopen {
  /** JavaScript that declares `openKernels(reopen)`, which gives the table of kernels. */
  readonly source: string;
  /** What that needs. */
  readonly data: {
    /** Path of the package koffi, and of the library. */
    readonly koffi: string;
    readonly library: string;
    /** Result and arguments of each kernel: `address`, or a type of C. */
    readonly signatures: Readonly<Record<string, string>>;
    /** Where the memory's address 0 lies. */
    readonly base: number;
  };
}

/** Native kernels, or in one sentence why there are none here. */
export type NativeOutcome =
  | {
      readonly kernels: Kernels;
      readonly level: NativeLevel;
      readonly reason: string;
      readonly reopen: NativeReopen;
    }
  | { readonly refused: string };
