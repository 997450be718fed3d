// Setup of the run under an emulator: native kernels are calls to `server.c`, which works on a copy of the memory, and random
// shapes are few, for an emulated kernel is slow.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { signatures } from '../../src/generated/signatures.ts';
import { KernelMemory } from '../../src/memory.ts';
import type { NativeOutcome } from '../../src/native-outcome.ts';

const folder = process.env['OSTINATO_EMULATED']!;
const mostRuns = 20;

/** Above every address that was handed out: what lies there has no meaning. */
const tops = new WeakMap<WebAssembly.Memory, number>();
const { allocate } = KernelMemory.prototype;
KernelMemory.prototype.allocate = function (bytes) {
  const address = allocate.call(this, bytes);
  tops.set(this.memory, Math.max(tops.get(this.memory) ?? 0, address + bytes));
  return address;
};

vi.mock('fast-check', async original => {
  const actual = await original<typeof import('fast-check')>();
  const assert = (property: Parameters<typeof actual.assert>[0], parameters?: Parameters<typeof actual.assert>[1]) =>
    actual.assert(property, { ...parameters, seed: 1, numRuns: Math.min(parameters?.numRuns ?? mostRuns, mostRuns) });
  return { ...actual, assert, default: { ...actual.default, assert } };
});

vi.mock('../../src/native.ts', () => {
  let taken = false;
  const loadNativeKernels = ({ memory }: KernelMemory): NativeOutcome => {
    if (taken) return { refused: 'the emulator runs one backend' };
    taken = true;
    return {
      kernels: emulatedKernels(memory) as never,
      level: 'neon',
      reason: 'under an emulator',
      reopen: { source: '', data: { koffi: '', library: '', signatures, base: 0 } },
    };
  };
  return { loadNativeKernels };
});

type Kernel = (...values: number[]) => number;

function emulatedKernels(memory: WebAssembly.Memory): Record<string, Kernel> {
  const place = (name: string): string => join(folder, name);
  const command = 'exec "$0" "$1" "$2" <"$3" >"$4"';
  const programs = [process.env['OSTINATO_EMULATOR']!, place('server'), place('memory')];
  const child = spawn('sh', ['-c', command, ...programs, place('calls'), place('results')], { stdio: 'inherit' });
  child.unref();
  const calls = openSync(place('calls'), 'w');
  const results = openSync(place('results'), 'r');
  const file = openSync(place('memory'), 'r+');
  process.on('exit', () => closeSync(calls)); // ends the server
  const answer = Buffer.alloc(64);
  return Object.fromEntries(
    Object.keys(signatures).map(name => [
      name,
      (...values: number[]): number => {
        const used = Buffer.from(memory.buffer as ArrayBuffer, 0, tops.get(memory) ?? 0);
        writeSync(file, used, 0, used.length, 0);
        writeSync(calls, `${name} ${values.map(Number).join(' ')}\n`);
        const length = readSync(results, answer);
        if (length === 0) throw new Error(`the emulator ended in ${name}(${values.join(', ')})`);
        readSync(file, used, 0, used.length, 0);
        return Number(answer.subarray(0, length).toString());
      },
    ]),
  );
}
