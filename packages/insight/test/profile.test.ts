import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { profileStep, profileTable, type StepProfile } from '../src/index.ts';

beforeAll(() => tf.setBackend('cpu'));

describe('profileStep', () => {
  it('counts calls, operations and bytes, kernel by kernel', async () => {
    const [a, b] = [tf.ones([2, 8, 4]), tf.ones([2, 4, 5])];
    const { milliseconds, kernels } = await profileStep(() => {
      tf.tidy(() => tf.reshape(tf.exp(tf.exp(tf.matMul(a, b))), [-1]).dataSync());
    });
    const byName = Object.fromEntries(kernels.map(({ name, milliseconds: _, ...rest }) => [name, rest]));
    expect(byName).toEqual({
      BatchMatMul: { calls: 1, operations: 2 * 2 * 8 * 4 * 5, bytes: 4 * (64 + 40 + 80) },
      Exp: { calls: 2, operations: 0, bytes: 2 * 4 * (80 + 80) },
      Reshape: { calls: 1, operations: 0, bytes: 0 },
    });
    expect(milliseconds).toBeGreaterThan(0);
    const times = kernels.map(kernel => kernel.milliseconds);
    expect(times).toEqual([...times].sort((x, y) => y - x));
    tf.dispose([a, b]);
  });

  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('finds the common dimension of a product however its factors are stored (%s, %s)', async (left, right) => {
    const a = tf.ones(left ? [7, 3] : [3, 7]) as tf.Tensor2D;
    const b = tf.ones(right ? [5, 7] : [7, 5]) as tf.Tensor2D;
    const { kernels } = await profileStep(() => tf.dispose(tf.matMul(a, b, left, right)), { repetitions: 1 });
    expect(kernels.find(({ name }) => name === 'BatchMatMul')!.operations).toBe(2 * 3 * 7 * 5);
  });

  it('counts a convolution and its gradients alike', async () => {
    const [x, filter] = [tf.ones([2, 8, 8, 3]) as tf.Tensor4D, tf.ones([3, 3, 3, 4]) as tf.Tensor4D];
    const gradients = tf.grads((...[input, weights]) =>
      tf.sum(tf.conv2d(input as tf.Tensor4D, weights as tf.Tensor4D, 1, 'same')),
    );
    const { kernels } = await profileStep(() => tf.dispose(gradients([x, filter])), { repetitions: 1 });
    const operations = kernels.filter(({ name }) => name.startsWith('Conv2D')).map(kernel => kernel.operations);
    expect(operations).toEqual([1, 2, 3].map(() => 2 * (2 * 8 * 8 * 4) * (3 * 3 * 3)));
  });

  it('passes on what the step throws, and leaves nothing switched on', async () => {
    let runs = 0;
    const failing = (): void => {
      tf.tidy(() => tf.exp(1));
      if (++runs === 3) throw new Error('no');
    };
    await expect(profileStep(failing, { repetitions: 1 })).rejects.toThrow('no');
    expect((tf.engine() as unknown as { state: { profiling: boolean } }).state.profiling).toBe(false);
    await expect(profileStep(failing, { repetitions: 0 })).rejects.toThrow('repetitions must be an integer ≥ 1');
    await expect(profileStep(1 as never)).rejects.toThrow('step must be a function');
  });
});

describe('profileTable', () => {
  const profile: StepProfile = {
    milliseconds: 10,
    kernels: [
      { name: 'BatchMatMul', calls: 2, milliseconds: 5, operations: 1e9, bytes: 8 },
      { name: 'Add', calls: 3, milliseconds: 2, operations: 0, bytes: 2e7 },
      { name: 'Reshape', calls: 1, milliseconds: 0.5, operations: 0, bytes: 0 },
      { name: 'Cast', calls: 1, milliseconds: 0.25, operations: 0, bytes: 4 },
    ],
  };

  it('gives rates, what part of the peak they are, and the time between kernels', () => {
    const table = profileTable(profile, { peak: { gigaflops: 400, gigabytesPerSecond: 40 }, rows: 2 });
    expect(table.split('\n').map(line => line.trim().split(/ {2,}/))).toEqual([
      ['kernel', 'calls', 'ms', 'share', 'rate', 'of peak'],
      ['BatchMatMul', '2', '5.00', '50.0 %', '200.0 GFLOP/s', '50 %'],
      ['Add', '3', '2.00', '20.0 %', '10.0 GB/s', '25 %'],
      ['2 others', '2', '0.75', '7.5 %'],
      ['between kernels', '2.25', '22.5 %'],
      ['step', '7', '10.00'],
    ]);
  });

  it('does without a peak', () => {
    expect(profileTable(profile).split('\n')).toHaveLength(7);
    expect(profileTable(profile)).not.toContain('peak');
    expect(() => profileTable(profile, { rows: 0 })).toThrow('rows must be an integer ≥ 1');
  });
});
