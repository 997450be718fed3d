// Kernels that reach beyond their operands, to see that the sanitizer run notices: each ends the process.
import { it } from 'vitest';
import { OstinatoCpuBackend } from '../../src/index.ts';

it.each([
  ['alone', 1],
  ['whole vectors', 16],
])('%s', (_, beyond) => {
  const { kernels, kernelMemory } = new OstinatoCpuBackend();
  const address = kernelMemory.allocate(4 * 32);
  kernels.unary(0, address, address, 32, 0, 1, 0);
  kernels.unary(0, address, address, 32 + beyond, 0, 1, 0);
});
