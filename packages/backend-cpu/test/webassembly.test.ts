// The kernels' tests on WebAssembly, on a machine where native code would run.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { relaxed, simd } from '../src/generated/kernels.ts';
import { testContract } from './contract.ts';

process.env['OSTINATO_NATIVE'] = 'off';
const { kernelInfo } = await import('../src/index.ts');

it('runs WebAssembly, and says why', () => {
  expect(kernelInfo().level).toMatch(/^(relaxed-)?simd$/);
  expect(kernelInfo().reason).toContain('switched off by OSTINATO_NATIVE=off');
});

it('is at most 150 kB with gzip, as two modules and as the JavaScript that brings them to a page', () => {
  const limit = 150_000;
  expect(gzipSync(Buffer.concat([simd, relaxed].map(digits => Buffer.from(digits, 'hex')))).length).toBeLessThan(limit);
  const file = readFileSync(new URL('../src/generated/kernels.ts', import.meta.url));
  expect(gzipSync(file).length).toBeLessThan(limit);
});

await testContract();
