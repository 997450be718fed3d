// Addresses beyond 2 GiB and up to the very last byte of 4 GiB give the bits that low addresses give; at the limit a typed error,
// and everything that exists stays as it is. What only fills the space is reserved and never written, so that little is used.
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryLimitError, OstinatoCpuBackend } from '../src/index.ts';
import { absent, on, runKernel, tensor } from './support.ts';

const gibibyte = 2 ** 30;

/** Every family of kernels, large enough for threads where they have some. */
function battery(): tf.Tensor[] {
  const [a, b] = [tensor(1, [150, 140]), tensor(2, [140, 160])];
  const [batch, time, inputs, hidden] = [4, 9, 20, 40];
  const weights = {
    input: tensor(3, [batch, time, inputs]),
    inputWeight: tensor(4, [inputs, 4 * hidden], 0.3),
    recurrentWeight: tensor(5, [hidden, 4 * hidden], 0.3),
    bias: tensor(6, [4 * hidden]),
    initialHidden: tensor(7, [batch, hidden]),
    initialCell: tensor(8, [batch, hidden]),
    projection: absent(),
    lengths: absent(),
  };
  const [output, hiddenState, cellState, reserve] = runKernel('OstinatoLstm', weights, { reverse: false });
  const gradients = runKernel('OstinatoLstmGrad', {
    ...{ ...weights, output: output!, reserve: reserve! },
    ...{ dOutput: tensor(9, [batch, time, hidden]), dHidden: hiddenState!, dCell: cellState! },
  });
  const ids = tf.tensor1d([3, 0, 9, 3], 'int32');
  const attention = {
    query: tensor(10, [2, 3, 30, 8]),
    key: tensor(11, [2, 3, 30, 8]),
    value: tensor(12, [2, 3, 30, 8]),
  };
  const none = { bias: absent(), keyLengths: absent() };
  const attributes = { causal: true, scale: 0.3, causalOffset: 0, dropoutRate: 0, dropoutKey: [0, 0] };
  const [attended] = runKernel('OstinatoAttention', { ...attention, ...none }, attributes);
  return [
    ...[tf.matMul(a, b), tf.matMul(a, a, true), output!, hiddenState!, cellState!, ...gradients, attended!],
    ...[tf.exp(a), tf.add(a, tensor(13, [140])), tf.sum(a, 1), tf.sum(a, 0), tf.softmax(a), tf.transpose(a)],
    ...runKernel('OstinatoEmbedding', { table: tensor(14, [10, 30]), ids }, { paddingIndex: null }),
  ];
}

describe.each([
  ['WebAssembly, one thread', 'off', 1],
  ['WebAssembly, two threads', 'off', 2],
  ['the best kernels here, two threads', 'auto', 2],
] as const)('%s', (title, native, threads) => {
  const name = `large-${title}`;
  let backend: OstinatoCpuBackend;
  let low: { values: Float32Array }[];
  const blocks: number[] = [];
  const run = () => on(name, battery);

  beforeAll(async () => {
    backend = new OstinatoCpuBackend({ native, threads });
    tf.registerBackend(name, () => backend);
    tf.copyRegisteredKernels('ostinato-cpu', name);
    low = run();
    for (let i = 0; i < 500 && backend.team.threadsFor(1e9) < threads; i++) await new Promise(r => setTimeout(r, 10));
    expect(backend.team.threadsFor(1e9)).toBe(threads);
  });

  afterAll(() => {
    tf.setBackend('cpu');
    tf.removeBackend(name);
  });

  it('works beyond 2 GiB, and counts what is reserved', ({ skip }) => {
    const { kernelMemory } = backend;
    if (kernelMemory.limit < 4 * gibibyte) skip('this environment grants less than 4 GiB');
    while ((blocks.at(-1) ?? 0) < 2 * gibibyte + 2 ** 20) blocks.push(kernelMemory.allocate(2 ** 26));
    // The gaps below as well.
    for (let bytes = 2 ** 22; bytes >= 64; bytes /= 2) {
      for (let address = 0; address < 2 * gibibyte; blocks.push(address)) address = kernelMemory.allocate(bytes);
    }
    const { allocatedBytes, reservedBytes } = backend.memory();
    expect(reservedBytes).toBeGreaterThan(2 * gibibyte);
    expect(run()).toEqual(low);
    expect(backend.memory().allocatedBytes).toBe(allocatedBytes);
    const probe = kernelMemory.allocate(4);
    expect(probe).toBeGreaterThan(2 * gibibyte);
    kernelMemory.release(probe);
  });

  it('begins a team there: its stacks and shared integers', async () => {
    if (threads === 1) return;
    backend.team.dispose();
    for (let i = 0; i < 500 && backend.team.threadsFor(1e9) < threads; i++) await new Promise(r => setTimeout(r, 10));
    expect(backend.team.threadsFor(1e9)).toBe(threads);
    expect(run()).toEqual(low);
  });

  it('says at 4 GiB that the limit is reached, and leaves everything usable', ({ skip }) => {
    const { kernelMemory } = backend;
    if (kernelMemory.limit < 4 * gibibyte) skip('this environment grants less than 4 GiB');
    const before = tf.getBackend();
    tf.setBackend(name);
    const held = tf.add(tensor(1, [1000]), 1);
    const expected = held.dataSync();
    const { allocatedBytes } = backend.memory();
    const taken = blocks.length;
    expect(() => {
      for (;;) blocks.push(kernelMemory.allocate(2 ** 26));
    }).toThrow(MemoryLimitError);
    const top = kernelMemory.limit - 2 ** 27;
    expect(Math.max(...blocks)).toBeGreaterThan(top);
    expect(backend.memory().allocatedBytes).toBe(allocatedBytes + (blocks.length - taken) * 2 ** 26);
    expect(backend.memory().reservedBytes).toBeLessThanOrEqual(4 * gibibyte);
    const { numTensors, numBytes } = tf.memory();
    const tooLarge = () => tf.tidy(() => tf.add(tf.fill([2 ** 25], 1), 1));
    expect(tooLarge).toThrow(/the memory limit of 4096\.0 MB is reached, expected room for 128\.0 MB, got .* in use/);
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    expect(held.dataSync()).toEqual(expected);
    for (const address of blocks.splice(-2)) kernelMemory.release(address);
    expect(run()).toEqual(low);

    // Operands that end at the last byte, whose end is no 32-bit address.
    const size = 4096;
    const fillers: number[] = [];
    for (let bytes = 2 ** 26; bytes >= 64; bytes /= 2) {
      expect(() => {
        for (;;) fillers.push(kernelMemory.allocate(bytes));
      }).toThrow(MemoryLimitError);
    }
    expect(backend.memory().allocatedBytes).toBe(backend.memory().reservedBytes);
    const end = kernelMemory.limit - 4 * size;
    fillers.sort((a, b) => a - b);
    let start = kernelMemory.limit;
    while (start > end) {
      start = fillers.pop()!;
      kernelMemory.release(start);
    }
    if (start < end) fillers.push(kernelMemory.allocate(end - start));
    const x = tf.tensor1d(tensor(3, [size]).dataSync());
    expect(backend.addressOf(x)).toBe(end);
    for (const address of fillers) kernelMemory.release(address);
    const square = tf.reshape(x, [64, 64]) as tf.Tensor2D;
    const results = () => [
      tf.exp(x),
      tf.add(square, square),
      tf.sum(square, 0),
      tf.softmax(square),
      tf.matMul(square, square),
    ];
    const highest = results().map(result => result.dataSync());
    const copy = tf.tensor1d(x.dataSync());
    x.dispose();
    square.dispose();
    const again = [tf.exp(copy), tf.add(tf.reshape(copy, [64, 64]), tf.reshape(copy, [64, 64]))];
    expect(highest[0]).toEqual(again[0]!.dataSync());
    expect(highest[1]).toEqual(again[1]!.dataSync());
    tf.disposeVariables();
    for (const address of blocks.splice(0)) kernelMemory.release(address);
    expect(run()).toEqual(low);
    tf.setBackend(before);
  });
});
