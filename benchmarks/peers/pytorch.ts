import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const script = join(import.meta.dirname, 'pytorch.py');

/** What PyTorch needs for the same work, or why it was not asked. */
export type PyTorchTimes = { readonly milliseconds: readonly number[] } | { readonly skipped: string };

/**
 * Milliseconds of one of the benchmarks in `pytorch.py`, for each of the sizes, with as many threads as ours.
 * `OSTINATO_PYTHON` names a Python that has torch; default python3.
 */
export async function pytorch(name: string, threads: number, sizes: readonly object[]): Promise<PyTorchTimes> {
  const python = process.env['OSTINATO_PYTHON'] ?? 'python3';
  try {
    const { stdout } = await promisify(execFile)(python, [script, name, String(threads), JSON.stringify(sizes)]);
    return { milliseconds: JSON.parse(stdout) as number[] };
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    const lastLine = stderr?.trim().split('\n').at(-1);
    return { skipped: `no PyTorch: ${python}: ${lastLine || String(code)}` };
  }
}

/** The fastest milliseconds of ours and of PyTorch's. */
export interface Beside {
  readonly ours: readonly number[];
  /** Null where PyTorch was not asked. */
  readonly theirs: readonly number[] | null;
  /** What to print beside each of ours. */
  readonly words: readonly string[];
}

/** Measures ours and PyTorch's in turn, so that what else the machine does in a while meets both, and keeps the fastest of each. */
export async function besidePytorch(
  rounds: number,
  ours: () => Promise<readonly number[]>,
  pytorchs: () => Promise<PyTorchTimes>,
): Promise<Beside> {
  let best: readonly number[] = await ours();
  let peer = await pytorchs();
  const fastestOf = (a: readonly number[], b: readonly number[]): number[] => a.map((time, i) => Math.min(time, b[i]!));
  for (let round = 1; round < rounds; round++) {
    best = fastestOf(best, await ours());
    if ('skipped' in peer) continue;
    const next = await pytorchs();
    if (!('skipped' in next)) peer = { milliseconds: fastestOf(peer.milliseconds, next.milliseconds) };
  }
  if ('skipped' in peer)
    return { ours: best, theirs: null, words: best.map(() => (peer as { skipped: string }).skipped) };
  const theirs = peer.milliseconds;
  const words = theirs.map(
    (time, i) => `PyTorch ${time.toFixed(1)} ms, ours takes ${(best[i]! / time).toFixed(2)} of that`,
  );
  return { ours: best, theirs, words };
}
