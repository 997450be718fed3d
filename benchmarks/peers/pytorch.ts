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
