/**
 * What this machine's processor and memory can do at most: what kernels are measured against.
 */

import { ResourceError } from '@ostinato/core';
import { findBackend } from '@tensorflow/tfjs-core';
import type { OstinatoCpuBackend } from './backend.ts';
import { backendName } from './kernel-call.ts';

/** The most that the machine can do with the build of the kernels that runs. */
export interface Peak {
  /** Threads that took part. */
  readonly threads: number;
  /** Multiplications and additions on values in registers, in 10⁹ a second. */
  readonly gigaflops: number;
  /** Bytes read and written by a copy of memory that no cache holds, in 10⁹ a second. */
  readonly gigabytesPerSecond: number;
}

const rounds = 1_000_000;
const copiedFloats = 2 ** 24;

/**
 * Measures the peak in about a second, with all threads of the backend or with so many.
 *
 * @param threads default all
 * @throws ResourceError when the backend could not start, or 128 MiB are not there
 */
export async function measurePeak({ threads }: { threads?: number | undefined } = {}): Promise<Peak> {
  const backend = findBackend(backendName) as OstinatoCpuBackend | null;
  if (!backend) throw new ResourceError({ where: 'measurePeak', rule: `the backend '${backendName}' could not start` });
  const { team, kernels, kernelMemory } = backend;
  const wanted = Math.min(threads ?? team.wanted, team.wanted);
  const arrival = performance.now() + 1000;
  while (team.threadsFor(Infinity) < wanted && performance.now() < arrival)
    await new Promise(next => setTimeout(next, 2));
  const present = Math.min(wanted, team.threadsFor(Infinity));

  const sums = kernelMemory.allocate(4 * present);
  const [from, to] = [kernelMemory.allocate(4 * copiedFloats), kernelMemory.allocate(4 * copiedFloats)];
  try {
    new Float32Array(kernelMemory.buffer, sums, present).fill(0.5);
    const multiplying = fastest(() => team.run('peak_multiply_add', present, [sums, rounds]));
    const copying = fastest(() => team.run('peak_copy', present, [from, to, copiedFloats]));
    return {
      threads: present,
      gigaflops: (present * rounds * kernels.peak_operations()) / multiplying / 1e6,
      gigabytesPerSecond: (8 * copiedFloats) / copying / 1e6,
    };
  } finally {
    for (const address of [sums, from, to]) kernelMemory.release(address);
  }
}

/** Milliseconds of the fastest run within a third of a second, after one that is not counted. */
function fastest(run: () => void): number {
  run();
  let best = Infinity;
  const end = performance.now() + 333;
  do {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  } while (performance.now() < end);
  return best;
}
