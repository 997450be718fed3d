// Depthwise convolutions and their gradients against the stock CPU backend.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import { expectClose, on, runKernel, tensor } from './support.ts';

const size = (max: number) => fc.integer({ min: 1, max });
const cases = fc
  .record({
    ...{ batch: size(3), height: size(13), width: size(13), multiplier: size(3) },
    channels: fc.oneof(size(9), fc.constantFrom(15, 16, 17, 33, 65)),
    ...{ filterHeight: size(4), filterWidth: size(5), strideHeight: size(3), strideWidth: size(3), dilation: size(2) },
    padding: fc.constantFrom('same', 'valid', 'explicit'),
  })
  // TensorFlow.js allows only one of the two.
  .map(({ dilation, ...rest }) => ({ ...rest, dilation: rest.strideHeight * rest.strideWidth > 1 ? 1 : dilation }))
  .filter(
    ({ height, width, filterHeight, filterWidth, dilation, padding }) =>
      padding === 'same' || (height > (filterHeight - 1) * dilation && width > (filterWidth - 1) * dilation),
  );
type Case = typeof cases extends fc.Arbitrary<infer Value> ? Value : never;

function operands(c: Case) {
  const explicit = [
    [0, 0],
    [1, 0],
    [2, 1],
    [0, 0],
  ] as [[number, number], [number, number], [number, number], [number, number]];
  return {
    x: tensor(1, [c.batch, c.height, c.width, c.channels]) as tf.Tensor4D,
    filter: tensor(2, [c.filterHeight, c.filterWidth, c.channels, c.multiplier], 0.5) as tf.Tensor4D,
    strides: [c.strideHeight, c.strideWidth] as [number, number],
    pad: c.padding === 'explicit' ? explicit : (c.padding as 'same' | 'valid'),
  };
}

const both = (body: () => tf.Tensor[]): void =>
  expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-5, relative: 1e-5 });

describe('depthwise convolutions', () => {
  it('agree with the stock kernel', () => {
    fc.assert(
      fc.property(cases, c =>
        both(() => {
          const { x, filter, strides, pad } = operands(c);
          return [tf.depthwiseConv2d(x, filter, strides, pad, 'NHWC', c.dilation)];
        }),
      ),
      { numRuns: 150 },
    );
  });

  it('have the gradients of the stock kernels', () => {
    fc.assert(
      fc.property(cases, c =>
        both(() => {
          const { x, filter, strides, pad } = operands(c);
          const convolve = (a: tf.Tensor, b: tf.Tensor) =>
            tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad);
          return tf.grads(convolve)([x, filter], tensor(3, convolve(x, filter).shape));
        }),
      ),
      { numRuns: 75 },
    );
  });

  // The stock kernels leave the dilation out here. Each gradient is that of the sum of all products.
  it('have gradients with dilation', () => {
    tf.setBackend('ostinato-cpu');
    const dilated = cases.filter(({ dilation }) => dilation > 1);
    const dot = (a: tf.Tensor, b: tf.Tensor): number => tf.sum(tf.mul(a, b)).dataSync()[0]!;
    fc.assert(
      fc.property(dilated, c =>
        tf.tidy(() => {
          const { x, filter, strides, pad } = operands(c);
          const convolve = (a: tf.Tensor4D, b: tf.Tensor4D) =>
            tf.depthwiseConv2d(a, b, strides, pad, 'NHWC', c.dilation);
          const dy = tensor(3, convolve(x, filter).shape);
          const attributes = { strides, pad, dilations: [c.dilation, c.dilation], dimRoundingMode: undefined };
          const name = 'DepthwiseConv2dNativeBackprop';
          const [dx] = runKernel(`${name}Input`, { dy, filter }, { ...attributes, inputShape: x.shape });
          const [dFilter] = runKernel(`${name}Filter`, { x, dy }, { ...attributes, filterShape: filter.shape });
          const [u, v] = [tensor(4, x.shape) as tf.Tensor4D, tensor(5, filter.shape) as tf.Tensor4D];
          expect(dot(dx!, u)).toBeCloseTo(dot(dy, convolve(u, filter)), 2);
          expect(dot(dFilter!, v)).toBeCloseTo(dot(dy, convolve(x, v)), 2);
        }),
      ),
      { numRuns: 50 },
    );
  });

  it('have more taps than fit one list', () => {
    both(() => {
      const [x, filter] = [tensor(1, [1, 14, 15, 5]) as tf.Tensor4D, tensor(2, [9, 9, 5, 1]) as tf.Tensor4D];
      const gradients = tf.grads((...[a, b]) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([
        x,
        filter,
      ]);
      return [tf.depthwiseConv2d(x, filter, 1, 'same'), tf.depthwiseConv2d(x, filter, 2, 'valid'), ...gradients];
    });
  });

  it('with bias and every activation, and followed by a convolution of single pixels', () => {
    const [x, filter] = [tensor(1, [2, 8, 9, 6]) as tf.Tensor4D, tensor(2, [3, 3, 6, 2]) as tf.Tensor4D];
    for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const)
      both(() => [
        tf.fused.depthwiseConv2d({
          ...{ x, filter, strides: 1, pad: 'same', bias: tensor(3, [12]), activation, leakyreluAlpha: 0.3 },
          ...(activation === 'prelu' ? { preluActivationWeights: tensor(4, [12]) } : {}),
        }),
      ]);
    both(() => [tf.separableConv2d(x, filter, tensor(5, [1, 1, 12, 4]) as tf.Tensor4D, 1, 'same')]);
  });

  it('leave out what lies beside the image: an infinite weight there gives no NaN', () => {
    both(() => {
      const filter = tf.tensor4d([Infinity, 1, 1, 1, Number.NaN, 1, 1, 1, 1], [3, 3, 1, 1]);
      return [tf.depthwiseConv2d(tensor(1, [1, 1, 4, 1]) as tf.Tensor4D, filter, 1, 'same')];
    });
  });

  it('the same bits for any number of threads and any build', () => {
    const names = ([1, 2, 3] as const).flatMap(threads =>
      (['auto', 'off'] as const).map(native => {
        const name = `depthwise-${threads}-${native}`;
        tf.registerBackend(name, () => new OstinatoCpuBackend({ threads, native }));
        tf.copyRegisteredKernels('ostinato-cpu', name);
        return name;
      }),
    );
    // Plain SIMD, in Node 20, rounds products and sums each for itself.
    const fused = (name: string) =>
      !name.endsWith('off') || /relaxed/.test((tf.backend() as OstinatoCpuBackend).info.level);
    const body = () =>
      [1, 2].flatMap(stride => {
        const [x, filter] = [tensor(1, [3, 41, 43, 35]) as tf.Tensor4D, tensor(2, [3, 3, 35, 2]) as tf.Tensor4D];
        const convolve = (a: tf.Tensor, b: tf.Tensor) =>
          tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, 'same');
        return [convolve(x, filter), ...tf.grads(convolve)([x, filter])];
      });
    try {
      const expected = new Map<boolean, Buffer[]>();
      for (const name of names) {
        tf.setBackend(name);
        const got = on(name, body).map(({ values: { buffer } }) => Buffer.from(buffer));
        const same = expected.get(fused(name)) ?? got;
        expected.set(fused(name), same);
        for (const [i, bits] of got.entries()) expect(bits.equals(same[i]!), `${name} ${i}`).toBe(true);
      }
    } finally {
      tf.setBackend('ostinato-cpu');
      for (const name of names) tf.removeBackend(name);
    }
  }, 60_000);

  it('leak no memory', () => {
    tf.setBackend('ostinato-cpu');
    const bytes = () => (tf.memory() as tf.MemoryInfo & { allocatedBytes: number }).allocatedBytes;
    const [x, filter] = [tensor(1, [2, 8, 9, 6]) as tf.Tensor4D, tensor(2, [3, 3, 6, 2]) as tf.Tensor4D];
    const run = () =>
      tf.tidy(() => {
        tf.grads((...[a, b]) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([x, filter]);
      });
    run();
    const before = bytes();
    run();
    expect(bytes()).toBe(before);
  });
});
