// The tests of the kernels once more, in a file that has chosen other kernels by `OSTINATO_NATIVE` before.
export async function testContract(): Promise<void> {
  await import('./matmul.test.ts');
  await import('./elementwise.test.ts');
  await import('./sequence.test.ts');
  await import('./contract-kernels.test.ts');
  await import('./reduction.test.ts');
  await import('./indexing.test.ts');
  await import('./scatter.test.ts');
  await import('./depthwise.test.ts');
}
