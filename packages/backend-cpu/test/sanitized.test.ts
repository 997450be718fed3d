// Every native kernel under AddressSanitizer and UndefinedBehaviorSanitizer, with the memory beside its operands poisoned.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileNative, findCompilers, hostTarget, variantsOf } from '../scripts/compile-native.ts';

const root = resolve(import.meta.dirname, '../../..');
const gcc = findCompilers().find(({ name }) => name === 'gcc');
const folder = mkdtempSync(join(tmpdir(), 'ostinato-sanitized-'));

function sanitizerOf(): string | undefined {
  if (gcc === undefined || process.platform !== 'linux') return undefined;
  const path = execFileSync(gcc.command[0]!, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  return existsSync(path) ? realpathSync(path) : undefined;
}

const sanitizer = sanitizerOf();

/** Runs tests in a process of its own, which loads the sanitizer before everything else. */
function runSanitized(...args: string[]): { status: number | null; printed: string } {
  const env = {
    ...process.env,
    LD_PRELOAD: sanitizer,
    // Node itself is not compiled for it: it keeps its memory until the end, and koffi's calls have a stack of their own.
    ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0',
    OSTINATO_ASAN: sanitizer,
    OSTINATO_NATIVE: folder,
    NO_COLOR: '1',
  };
  const config = 'packages/backend-cpu/test/sanitized/vitest.config.ts';
  const all = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', config, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: root, env, encoding: 'utf8' });
  return { status, printed: stdout + stderr };
}

afterAll(() => rmSync(folder, { recursive: true }));

describe.runIf(sanitizer)('with sanitizers (skipped without gcc and its libasan on Linux)', () => {
  beforeAll(() => {
    const variants = [variantsOf(hostTarget).at(-1)!];
    // Less optimised than a release: this compiles in half the time.
    const extraFlags = ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'];
    compileNative({ compiler: gcc!, target: hostTarget, folder, variants, extraFlags });
  }, 300_000);

  it('every kernel stays within its operands', () => {
    const { status, printed } = runSanitized('native.test.ts', '-t', 'against WebAssembly');
    // None at all would pass too, if the pattern of names matched nothing.
    expect(Number(/Tests .*?(\d+) passed/.exec(printed)?.[1]), printed).toBeGreaterThanOrEqual(8);
    expect(status, printed).toBe(0);
  }, 300_000);

  it.each(['alone', 'whole vectors'])(
    'notices a float beyond: %s',
    fault => {
      const { status, printed } = runSanitized('fault.ts', '-t', fault);
      expect(printed).toContain('AddressSanitizer: use-after-poison');
      expect(printed).not.toMatch(/1 passed/);
      expect(status).not.toBe(0);
    },
    300_000,
  );
});
