// The kernels' tests on a library that GCC (else Clang or zig) compiles here, for the least processor that native code is for.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compileNative, findCompilers, hostTarget, variantsOf, zigTargets } from '../scripts/compile-native.ts';
import { testContract } from './contract.ts';

const compiler = findCompilers().at(-1);
const folder = mkdtempSync(join(tmpdir(), 'ostinato-native-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

if (compiler === undefined || !(hostTarget in zigTargets)) {
  describe.skip(`no C compiler for ${hostTarget} here`, () => it('runs what it compiles', () => {}));
} else {
  const variant = variantsOf(hostTarget).at(-1)!;
  compileNative({ compiler, target: hostTarget, folder, variants: [variant] });
  process.env['OSTINATO_NATIVE'] = folder;
  const { kernelInfo } = await import('../src/index.ts');
  const { level, reason } = kernelInfo();
  if (/lacks/.test(reason)) {
    describe.skip(reason, () => it('runs what it compiles', () => {}));
  } else {
    it('runs what it compiles', () => {
      expect(level).toBe(variant === 'v3' ? 'avx2' : 'neon');
      expect(reason).toContain(`compiled by ${compiler.name} ${compiler.version}`);
    });
    await testContract();
  }
}
