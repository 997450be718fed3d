// The kernels' tests on WebAssembly, on a machine where native code would run.
import { expect, it } from 'vitest';
import { testContract } from './contract.ts';

process.env['OSTINATO_NATIVE'] = 'off';
const { kernelInfo } = await import('../src/index.ts');

it('runs WebAssembly, and says why', () => {
  expect(kernelInfo().level).toMatch(/^(relaxed-)?simd$/);
  expect(kernelInfo().reason).toContain('switched off by OSTINATO_NATIVE=off');
});

await testContract();
