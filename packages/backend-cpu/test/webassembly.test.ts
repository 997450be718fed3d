// The kernels' tests on WebAssembly, on a machine where native code would run.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { functionsOf, withFunctions } from '../src/code-section.ts';
import { relaxed, simd } from '../src/generated/kernels.ts';
import { testContract } from './contract.ts';

process.env['OSTINATO_NATIVE'] = 'off';
const { kernelInfo } = await import('../src/index.ts');

it('runs WebAssembly, and says why', () => {
  expect(kernelInfo().level).toMatch(/^(relaxed-)?simd$/);
  expect(kernelInfo().reason).toContain('switched off by OSTINATO_NATIVE=off');
});

it('is at most 150 kB with gzip, as the JavaScript that brings it to a page', () => {
  const file = readFileSync(new URL('../src/generated/kernels.ts', import.meta.url));
  expect(gzipSync(file).length).toBeLessThan(150_000);
});

it('has both modules, which exchanging functions makes of each other', () => {
  const bytes = (digits: string) => new Uint8Array(Buffer.from(digits, 'hex'));
  const plain = bytes(simd);
  const fast = withFunctions(plain, Object.fromEntries(Object.entries(relaxed).map(([i, body]) => [i, bytes(body)])));
  const { functions } = functionsOf(plain);
  const places = Object.keys(relaxed).map(Number);
  expect(places.length).toBeGreaterThan(0);
  expect(WebAssembly.validate(plain)).toBe(true);
  expect(Buffer.compare(fast, plain)).not.toBe(0);
  // The lengths of functions change, and so may the number of bytes that the length of all takes.
  const back = withFunctions(fast, Object.fromEntries(places.map(i => [i, functions[i]!])));
  expect(Buffer.compare(back, plain)).toBe(0);
  const one = withFunctions(plain, Object.fromEntries(functions.map((_, i) => [i, new Uint8Array([2, 0, 11])])));
  expect(functionsOf(one).functions.every(body => body.length === 3)).toBe(true);
  expect(Buffer.compare(withFunctions(one, { ...functions }), plain)).toBe(0);
});

await testContract();
