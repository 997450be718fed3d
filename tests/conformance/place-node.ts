import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ResourceError } from '@ostinato/core';
import type { SpecEvent } from './events.ts';

/** Node has relaxed SIMD from 22 on; before, behind a flag. */
const nodeArguments = Number.parseInt(process.versions.node, 10) < 22 ? ['--experimental-wasm-relaxed-simd'] : [];

/** Runs a bundle of specs in a process of its own: see `Place`. */
export async function runInNode(
  script: string,
  listen: (event: SpecEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-conformance-'));
  const file = join(folder, 'specs.cjs');
  writeFileSync(file, script);
  try {
    await runFile(file, listen, signal);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runFile(file: string, listen: (event: SpecEvent) => void, signal: AbortSignal): Promise<void> {
  const child = fork(file, [], { execArgv: nodeArguments, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let complaints = '';
  let finished = false;
  signal.addEventListener('abort', () => child.kill('SIGKILL'));
  child.stderr!.on('data', (text: Buffer) => {
    complaints = `${complaints}${text}`.slice(-2000);
  });
  child.on('message', (event: SpecEvent) => {
    listen(event);
    if (event.kind !== 'finished') return;
    finished = true;
    // Specs leave timers behind that nobody waits for.
    child.kill('SIGKILL');
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (finished) resolve();
      else {
        const got = [killedBy ?? `exit code ${code}`, complaints.trim()].filter(Boolean).join(': ');
        reject(new ResourceError({ where: 'conformance', rule: 'Node ended before its specs did', got }));
      }
    });
  });
}
