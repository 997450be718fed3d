import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Rng } from '@ostinato/core';
import { readSafetensors } from '@ostinato/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * A run that is killed (SIGKILL: nothing can be saved or tidied up) and resumed gives, bit for bit, the parameters of the run
 * that nobody disturbed. OSTINATO_KILLS=20 kills at twenty random moments; CI does fewer.
 */

const root = resolve(import.meta.dirname, '../..');
const kills = Number(process.env['OSTINATO_KILLS'] ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'ostinato-kill-'));
const cli = ['--conditions=@ostinato/source', '--import', 'tsx', join(root, 'apps/cli/src/main.ts')];
const steps = 120;
const options = [
  '--hidden',
  '24',
  '--embedding',
  '8',
  '--batch',
  '4',
  '--length',
  '32',
  '--checkpoint-every',
  '5',
  '--seed',
  '7',
];
const train = [
  'train',
  'music',
  '--data',
  join(root, 'apps/cli/data/tunes.abc'),
  '--steps',
  String(steps),
  ...options,
  '--json',
];

function parameters(run: string): Map<string, Buffer> {
  const { tensors } = readSafetensors(readFileSync(join(run, 'checkpoint.safetensors')));
  return new Map(
    [...tensors].map(([name, { data }]) => [
      name,
      Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
    ]),
  );
}

/** Starts a process, kills it `after` milliseconds from its first training step, and waits for its end. */
async function killed(args: readonly string[], after: number): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [...cli, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise(done => child.once('exit', done));
  await new Promise<void>(started => {
    child.stdout!.on('data', (text: Buffer) => text.includes('"event":"step"') && started());
    child.once('exit', () => started());
  });
  setTimeout(() => child.kill('SIGKILL'), after);
  await ended;
}

let undisturbed: Map<string, Buffer>;
let milliseconds: number;

beforeAll(() => {
  const start = performance.now();
  execFileSync(process.execPath, [...cli, ...train, '--out', join(folder, 'whole')], { cwd: root, stdio: 'pipe' });
  milliseconds = performance.now() - start;
  undisturbed = parameters(join(folder, 'whole'));
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('kill -9', () => {
  it('leaves a run that resumes bit for bit', async () => {
    const rng = new Rng(11);
    let last = -1;
    for (let kill = 0; kill < kills; kill++) {
      const run = join(folder, `killed-${kill}`);
      await killed([...train, '--out', run], rng.next() * 0.5 * milliseconds);
      const again = existsSync(join(run, 'checkpoint.safetensors')) ? ['--resume', run] : ['--out', run];
      if (again[0] === '--out') rmSync(run, { recursive: true, force: true });
      execFileSync(
        process.execPath,
        [...cli, ...(again[0] === '--resume' ? ['train', 'music', ...again, '--json'] : [...train, ...again])],
        { cwd: root, stdio: 'pipe' },
      );
      const resumed = parameters(run);
      expect([...resumed.keys()]).toEqual([...undisturbed.keys()]);
      for (const [name, bytes] of undisturbed)
        expect(resumed.get(name)!.equals(bytes), `kill ${kill}: ${name}`).toBe(true);
      last = kill;
    }
    expect(last).toBe(kills - 1);
  }, 1_200_000);
});
