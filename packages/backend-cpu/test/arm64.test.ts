// Every NEON kernel against its WebAssembly twin, on any machine: the same tests, with the kernels in a process under qemu-user.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCompilers } from '../scripts/compile-native.ts';
import { signatures } from '../scripts/sources.ts';

const root = resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'ostinato-arm64-'));
afterAll(() => rmSync(folder, { recursive: true }));

const works = (command: string): boolean => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

/** A compiler for arm64 Linux that links statically, so that the emulator needs no libraries. */
function findCompiler(): string[] | undefined {
  if (works('aarch64-linux-gnu-gcc')) return ['aarch64-linux-gnu-gcc'];
  const zig = findCompilers().find(({ name }) => name === 'zig');
  return zig && [...zig.command, '-target', 'aarch64-linux-musl'];
}

const emulator = ['qemu-aarch64', 'qemu-aarch64-static'].find(works);
const compiler = emulator && findCompiler();
const reason =
  emulator === undefined ? 'there is no qemu-aarch64 (qemu-user)' : 'there is neither zig nor gcc for arm64';

/** C that calls each kernel by its name with the numbers of a line. */
function dispatch(): string {
  const cases = Object.entries(signatures()).map(([name, signature]) => {
    const [result, ...kinds] = signature.split(' ');
    // In the order of the line: C leaves the order of a call's arguments open.
    const values = kinds.map((kind, i) => {
      if (kind === 'address') return `void *a${i} = address();`;
      // As WebAssembly takes numbers: negative ones as the unsigned ones of the same bits.
      const type = { uint: 'unsigned', size_t: 'usize' }[kind];
      return type ? `${type} a${i} = (${type})(long long)number();` : `${kind} a${i} = (${kind})number();`;
    });
    const call = `${name}(${kinds.map((_, i) => `a${i}`).join(', ')})`;
    const body = result === 'void' ? `${call}; return 0;` : `return (double)${call};`;
    return `if (strcmp(name, "${name}") == 0) { ${values.join(' ')} ${body} }\n`;
  });
  return cases.join('');
}

describe.skipIf(compiler === undefined)(`arm64 (skipped where ${reason})`, () => {
  beforeAll(() => {
    writeFileSync(join(folder, 'dispatch.inc'), dispatch());
    // The memory is never larger than it begins.
    writeFileSync(join(folder, 'memory'), '');
    truncateSync(join(folder, 'memory'), 2 ** 26);
    execFileSync('mkfifo', [join(folder, 'calls'), join(folder, 'results')]);
    const [program, ...first] = compiler!;
    const kernels = resolve(import.meta.dirname, '../kernels');
    const flags = ['-O2', '-std=gnu17', '-ffp-contract=off', '-fno-math-errno', '-static', '-w'];
    const sources = [join(import.meta.dirname, 'arm64/server.c'), '-o', join(folder, 'server')];
    execFileSync(program!, [...first, ...flags, `-I${kernels}`, `-I${folder}`, ...sources, '-lm'], {
      stdio: 'inherit',
    });
  }, 300_000);

  it('every kernel gives what WebAssembly gives', () => {
    const env = {
      ...process.env,
      OSTINATO_EMULATED: folder,
      OSTINATO_EMULATOR: emulator,
      OSTINATO_EXPECT_NATIVE: '1',
      OSTINATO_THREADS: '1',
      NO_COLOR: '1',
    };
    const config = 'packages/backend-cpu/test/arm64/vitest.config.ts';
    const command = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', config];
    const which = ['-t', 'against WebAssembly|where a release says so'];
    const { status, stdout, stderr } = spawnSync(process.execPath, [...command, ...which], {
      ...{ cwd: root, env, encoding: 'utf8', timeout: 280_000 },
    });
    expect(stdout + stderr).toMatch(/Tests .*\d\d? passed/);
    expect(status, stdout + stderr).toBe(0);
  }, 300_000);
});
