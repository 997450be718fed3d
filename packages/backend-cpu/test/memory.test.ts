// The allocator, and what the backend promises about memory: flat, no aliasing, copies on reading, errors that harm nothing.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Allocator } from '../src/allocator.ts';
import { kernelInfo, MemoryLimitError, OstinatoCpuBackend, register } from '../src/index.ts';
import { tensor } from './support.ts';

const pageBytes = 65_536;

describe('Allocator', () => {
  it('hands out aligned blocks that never overlap, and joins all it gets back', () => {
    const actions = fc.array(
      fc.record({ bytes: fc.integer({ min: 0, max: 40_000 }), keep: fc.boolean(), pick: fc.nat() }),
      {
        minLength: 50,
        maxLength: 400,
      },
    );
    fc.assert(
      fc.property(actions, steps => {
        const allocator = new Allocator({ start: 100, end: 1 << 20, grow: bytes => bytes + 4096 });
        const blocks: { start: number; end: number }[] = [];
        for (const { bytes, keep, pick } of steps) {
          if (keep || blocks.length === 0) {
            const start = allocator.allocate(bytes)!;
            const end = start + Math.max(bytes, 1);
            expect(start % 64).toBe(0);
            expect(blocks.every(block => block.end <= start || end <= block.start)).toBe(true);
            blocks.push({ start, end });
          } else {
            allocator.release(blocks.splice(pick % blocks.length, 1)[0]!.start);
          }
        }
        for (const { start } of blocks) allocator.release(start);
        const { allocatedBytes, allocatedBlocks, reservedBytes } = allocator.usage;
        expect([allocatedBytes, allocatedBlocks]).toEqual([0, 0]);
        // One free block again: everything can be handed out at once without growing.
        expect(allocator.allocate(reservedBytes)).toBe(128);
        expect(allocator.usage.reservedBytes).toBe(reservedBytes);
      }),
    );
  });

  it('stays flat under a mixed load', () => {
    const allocator = new Allocator({ start: 0, end: 1 << 20, grow: bytes => bytes });
    const live: number[] = [];
    let state = 1;
    const random = (limit: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    const cycle = () => {
      for (let i = 0; i < 20_000; i++) {
        if (live.length < 200) live.push(allocator.allocate(2 ** random(18) + random(500))!);
        else allocator.release(live.splice(random(live.length), 1)[0]!);
      }
    };
    cycle();
    const { reservedBytes } = allocator.usage;
    for (let round = 0; round < 5; round++) cycle();
    expect(allocator.usage.reservedBytes).toBeLessThan(reservedBytes * 1.3);
  });

  it('says when the memory is exhausted, and when a block is not its own', () => {
    const allocator = new Allocator({ start: 0, end: 4096, grow: () => 0 });
    const address = allocator.allocate(4096)!;
    expect(allocator.allocate(1)).toBeUndefined();
    allocator.release(address);
    expect(allocator.allocate(4096)).toBe(address);
    allocator.release(address);
    expect(() => allocator.release(address)).toThrow('no block at address 0');
  });
});

describe('register', () => {
  it('has run at import and does nothing again', () => {
    const kernels = tf.getKernelsForBackend('ostinato-cpu').length;
    register();
    expect(tf.getKernelsForBackend('ostinato-cpu')).toHaveLength(kernels);
    expect(tf.getKernelsForBackend('cpu').length).toBeLessThan(kernels);
  });

  it('says which kernels run', () => {
    expect(kernelInfo().level).toMatch(/^(avx512|avx2|neon|(relaxed-)?simd)$/);
    expect(kernelInfo().reason).not.toBe('');
  });
});

describe.each([true, false])('OstinatoCpuBackend, shared memory %s', sharedMemory => {
  const small = `ostinato-cpu-small-${sharedMemory}`;
  let backend: OstinatoCpuBackend;

  beforeAll(() => {
    // 32 MB, so that the limit is near.
    backend = new OstinatoCpuBackend({ maximumPages: 512, sharedMemory });
    tf.registerBackend(small, () => backend);
    tf.copyRegisteredKernels('ostinato-cpu', small);
    tf.setBackend(small);
  });

  afterAll(() => {
    tf.setBackend('cpu');
    tf.removeBackend(small);
  });

  const used = () => backend.memory().allocatedBytes;

  it('gives memory back, also after disposing twice', () => {
    const before = used();
    const tensors = tf.memory().numTensors;
    const a = tf.matMul(tensor(1, [50, 60]) as tf.Tensor2D, tensor(2, [60, 40]) as tf.Tensor2D);
    expect(used()).toBeGreaterThan(before);
    a.dispose();
    a.dispose();
    expect(tf.memory().numTensors).toBe(tensors + 2);
    expect(tf.memory().unreliable).toBe(false);
  });

  it('stays flat over many steps', () => {
    const step = () =>
      tf.tidy(() => {
        const [a, b] = [tensor(1, [31, 17]), tensor(2, [17, 9])];
        tf.grads((x, y) => tf.sum(tf.tanh(tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D))))([a, b]);
      });
    step();
    const [bytes, { numTensors, numDataBuffers }] = [used(), tf.memory()];
    for (let i = 0; i < 200; i++) step();
    expect(used()).toBe(bytes);
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
  });

  it('keeps count of values that go to another backend and come back', () => {
    const [bytes, count] = [used(), backend.numDataIds()];
    tf.tidy(() => {
      const a = tf.add(tensor(1, [100]), 0);
      const expected = a.dataSync();
      tf.setBackend('cpu');
      expect(tf.relu(a).dataSync()).toEqual(expected.map(value => Math.max(value, 0)));
      tf.setBackend(small);
      expect(tf.neg(a).dataSync()).toEqual(expected.map(value => -value));
    });
    expect([used(), backend.numDataIds()]).toEqual([bytes, count]);
  });

  it('reads copies', async () => {
    const a = tf.add(tensor(1, [8]), 0);
    const [first, second] = [a.dataSync(), await a.data()];
    expect(first.buffer).toBeInstanceOf(ArrayBuffer);
    first.fill(7);
    second.fill(8);
    expect(a.dataSync()).toEqual(tensor(1, [8]).dataSync());
    expect((await a.buffer()).values.buffer).toBeInstanceOf(ArrayBuffer);
    const copy = a.dataSync();
    a.dispose();
    tf.add(tensor(2, [8]), 0).dispose();
    expect(copy).toEqual(tensor(1, [8]).dataSync());
  });

  it('keeps slices, reshapes and clones of a disposed tensor intact', () => {
    const a = tf.add(tensor(1, [8, 4]), 0);
    const parts = [tf.slice(a, [2, 0], [3, 4]), tf.reshape(a, [32]), tf.clone(a), ...tf.unstack(a)];
    const expected = parts.map(part => part.dataSync());
    a.dispose();
    const others = Array.from({ length: 20 }, () => tf.add(tf.ones([8, 4]), 5));
    expect(parts.map(part => part.dataSync())).toEqual(expected);
    tf.dispose([parts, others]);
  });

  it('copies a part of its own memory that a kernel returns', () => {
    const a = tf.add(tensor(1, [8]), 0);
    const backend = tf.backend() as OstinatoCpuBackend;
    const expected = a.dataSync();
    const address = backend.addressOf(a) as number;
    const part = new Float32Array(backend.kernelMemory.buffer, address, 8);
    expect([...part]).toEqual([...expected]);
    const b = tf.engine().makeTensor(part, [8], 'float32', backend);
    part.fill(9); // as the next owner of this memory would
    expect(b.dataSync()).toEqual(expected);
    tf.dispose([a, b]);
  });

  it('throws a typed error at the limit and leaves everything usable', () => {
    const held = tf.add(tensor(1, [1000]), 0);
    const expected = held.dataSync();
    backend.team.threadsFor(1e9); // starts the workers, which have memory of their own
    const before = used();
    const hoard: tf.Tensor[] = [];
    const exhaust = () => {
      for (let i = 0; i < 20; i++) hoard.push(tf.tidy(() => tf.add(tf.zeros([1 << 20]), 1)));
    };
    expect(exhaust).toThrow(MemoryLimitError);
    const i = class i extends MemoryLimitError {}; // as a minifier leaves it
    expect(new i({ where: '', rule: '' }).name).toBe('MemoryLimitError');
    expect(new i({ where: '', rule: '' }).kind).toBe('ResourceError');
    expect(exhaust).toThrow(/the memory limit of 32\.0 MB is reached, expected room for \d+\.\d MB/);
    expect(held.dataSync()).toEqual(expected);
    tf.dispose(hoard);
    const roomAgain = tf.tidy(() => tf.add(held, tf.zeros([1000])));
    expect(roomAgain.dataSync()).toEqual(expected);
    tf.dispose([roomAgain, held]);
    expect(used()).toBeLessThanOrEqual(before);
    expect(backend.memory().reservedBytes).toBeLessThanOrEqual(512 * pageBytes);
  });

  it('keeps values valid while the memory grows', () => {
    const fresh = new OstinatoCpuBackend({ sharedMemory });
    const name = `${small}-growing`;
    tf.registerBackend(name, () => fresh);
    tf.copyRegisteredKernels('ostinato-cpu', name);
    tf.setBackend(name);
    const a = tf.add(tensor(1, [1000]), 0);
    const expected = a.dataSync();
    const { reservedBytes } = fresh.memory();
    const big = tf.tidy(() => tf.add(tf.zeros([1 << 24]), 1));
    expect(fresh.memory().reservedBytes).toBeGreaterThan(reservedBytes);
    expect(fresh.info.sharedMemory).toBe(sharedMemory);
    expect(a.dataSync()).toEqual(expected);
    expect(tf.slice(a, 10, 5).dataSync()).toEqual(expected.slice(10, 15));
    expect(tf.erf(a).shape).toEqual([1000]);
    expect(tf.sum(big).dataSync()[0]).toBe(2 ** 24);
    tf.dispose([a, big]);
    tf.setBackend(small);
    tf.removeBackend(name);
  });

  it('converts values whose dtype was only relabelled, also when making room for them makes the memory grow', () => {
    const fresh = new OstinatoCpuBackend({ sharedMemory });
    const name = `${small}-converting`;
    tf.registerBackend(name, () => fresh);
    tf.copyRegisteredKernels('ostinato-cpu', name);
    tf.setBackend(name);
    const whole = tf.tensor1d([3, 1, 2], 'int32');
    fresh.addressOf(whole);
    const relabelled = tf.cast(whole, 'float32');
    const usage = () => fresh.kernelMemory.usage;
    const free = () => usage().reservedBytes - usage().allocatedBytes;
    // Powers of two leave nothing over, wherever the memory starts.
    while (free() > 0) fresh.kernelMemory.allocate(2 ** Math.floor(Math.log2(free())));
    const { reservedBytes } = usage();
    expect(Array.from(tf.square(relabelled).dataSync())).toEqual([9, 1, 4]);
    expect(usage().reservedBytes).toBeGreaterThan(reservedBytes);
    tf.setBackend(small);
    tf.removeBackend(name);
  });

  it('measures scratch memory beyond 2 GB, and more than there can be as all of it', () => {
    const { kernels } = backend;
    const [batch, time, inputs, hidden] = [128, 1000, 10, 1024] as const;
    // 4H of dGates and H of previous states for every row and step, among others.
    const work = kernels.lstm_backward_work(0, batch, time, inputs, hidden, hidden, 0, 1);
    expect(work).toBeGreaterThan(5 * batch * time * hidden);
    const most = kernels.lstm_backward_work(0, 2 * batch, time, inputs, hidden, hidden, 0, 1);
    // Native code measures with 64 bits, WebAssembly up to the end of its addresses.
    if (/simd/.test(backend.info.level)) expect(most).toBe((2 ** 32 - 64) / 4);
    else expect(most).toBeGreaterThan(10 * batch * time * hidden);
    expect(() => backend.kernelMemory.allocate(4 * work)).toThrow(MemoryLimitError);
  });

  it('moves tensors between backends', () => {
    const a = tf.add(tensor(1, [5, 3]), 0);
    tf.setBackend('cpu');
    const sum = tf.add(a, 1);
    tf.setBackend(small);
    expect(Array.from(tf.sub(sum, 1).dataSync())).toEqual(
      Array.from(a.dataSync(), x => Math.fround(Math.fround(x + 1) - 1)),
    );
  });

  it('trains a small network to the loss of the stock backend', () => {
    const train = (name: string) => {
      tf.setBackend(name);
      const weights = [tensor(1, [3, 8]), tensor(2, [8]), tensor(3, [8, 1])].map(value => tf.variable(value));
      const [x, y] = [tensor(4, [20, 3]) as tf.Tensor2D, tensor(5, [20, 1])];
      const optimizer = tf.train.adam(0.02);
      const loss = () => {
        const [w1, b1, w2] = weights as unknown as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D];
        const hidden = tf.tanh(tf.add(tf.matMul(x, w1), b1)) as tf.Tensor2D;
        return tf.mean(tf.square(tf.sub(tf.matMul(hidden, w2), y))) as tf.Scalar;
      };
      for (let i = 0; i < 30; i++) optimizer.minimize(loss, false, weights);
      return loss().dataSync()[0]!;
    };
    expect(train(small)).toBeCloseTo(train('cpu'), 4);
    tf.setBackend(small);
  });
});
