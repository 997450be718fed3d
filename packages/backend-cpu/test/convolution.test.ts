// Convolutions and their gradients against the stock CPU backend: odd sizes, strides, dilations, every padding, any number of threads.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import { expectClose, on, tensor } from './support.ts';

const size = (max: number) => fc.integer({ min: 1, max });
const channels = fc.oneof(size(9), fc.constantFrom(15, 16, 17, 33, 64, 65, 130));

const convolutions = fc
  .record({
    batch: size(3),
    height: size(13),
    width: size(13),
    inputs: channels,
    outputs: channels,
    filterHeight: size(4),
    filterWidth: size(4),
    strideHeight: size(3),
    strideWidth: size(3),
    dilation: size(2),
    padding: fc.constantFrom('same', 'valid', 'explicit'),
  })
  .map(({ dilation, ...rest }) =>
    // TensorFlow.js allows only one of the two.
    rest.strideHeight * rest.strideWidth > 1 ? { ...rest, dilation: 1 } : { ...rest, dilation },
  )
  .filter(
    ({ height, width, filterHeight, filterWidth, dilation, padding }) =>
      padding === 'same' || (height > (filterHeight - 1) * dilation && width > (filterWidth - 1) * dilation),
  );

type Case = typeof convolutions extends fc.Arbitrary<infer Value> ? Value : never;

function operands({ batch, height, width, inputs, outputs, filterHeight, filterWidth, ...rest }: Case) {
  const pad =
    rest.padding === 'explicit'
      ? ([
          [0, 0],
          [1, 0],
          [2, 1],
          [0, 0],
        ] as [[number, number], [number, number], [number, number], [number, number]])
      : (rest.padding as 'same' | 'valid');
  return {
    x: tensor(1, [batch, height, width, inputs]) as tf.Tensor4D,
    filter: tensor(2, [filterHeight, filterWidth, inputs, outputs], 0.5) as tf.Tensor4D,
    strides: [rest.strideHeight, rest.strideWidth] as [number, number],
    pad,
  };
}

const both = (body: () => tf.Tensor[]): void =>
  expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-4, relative: 1e-5 });

describe('Conv2D', { timeout: 120_000 }, () => {
  it('agrees with the stock kernel', () => {
    fc.assert(
      fc.property(convolutions, shape => {
        both(() => {
          const { x, filter, strides, pad } = operands(shape);
          return [tf.conv2d(x, filter, strides, pad, 'NHWC', shape.dilation)];
        });
      }),
      { numRuns: 150 },
    );
  });

  it('has the gradients of the stock kernels', () => {
    fc.assert(
      fc.property(convolutions, shape => {
        both(() => {
          const { x, filter, strides, pad } = operands(shape);
          const convolve = (input: tf.Tensor4D, weights: tf.Tensor4D) => tf.conv2d(input, weights, strides, pad);
          const dOutput = tensor(3, convolve(x, filter).shape) as tf.Tensor4D;
          return tf.grads((...[input, weights]) => convolve(input as tf.Tensor4D, weights as tf.Tensor4D))(
            [x, filter],
            dOutput,
          );
        });
      }),
      { numRuns: 50 },
    );
  });

  it('works in blocks of pixels of many images', () => {
    both(() => {
      const [x, filter] = [tensor(1, [5, 17, 19, 7]) as tf.Tensor4D, tensor(2, [3, 3, 7, 70]) as tf.Tensor4D];
      const gradients = tf.grads((...[input, weights]) =>
        tf.conv2d(input as tf.Tensor4D, weights as tf.Tensor4D, 2, 'same'),
      )([x, filter]);
      return [tf.conv2d(x, filter, 1, 'same'), ...gradients];
    });
  });

  it('gradients of few input channels, to the same bits native and by WebAssembly with fused instructions', () => {
    const names = (['auto', 'off'] as const).map(native => {
      tf.registerBackend(`few-${native}`, () => new OstinatoCpuBackend({ threads: 1, native }));
      tf.copyRegisteredKernels('ostinato-cpu', `few-${native}`);
      return `few-${native}`;
    });
    const [first, second] = names.map(name => {
      tf.setBackend(name);
      return /relaxed|avx|neon/.test((tf.backend() as OstinatoCpuBackend).info.level);
    });
    tf.setBackend('ostinato-cpu');
    const sizes = fc.record({
      ...{ side: size(9), channels: size(5), filter: size(4), stride: size(3) },
      depth: size(70),
    });
    try {
      fc.assert(
        fc.property(sizes, ({ side, channels, filter, stride, depth }) => {
          const body = () => {
            const x = tensor(1, [2, side, side + 2, channels]) as tf.Tensor4D;
            const weights = tensor(2, [filter, 3, channels, depth]) as tf.Tensor4D;
            const y = tf.conv2d(x, weights, stride, 'same');
            return [tf.grad(a => tf.conv2d(a as tf.Tensor4D, weights, stride, 'same'))(x, tensor(3, y.shape)), y];
          };
          const results = names.map(name => on(name, body));
          expectClose(results[1]!, on('cpu', body), { absolute: 1e-4, relative: 1e-5 });
          expectClose(results[0]!, results[1]!, first === second ? { absolute: 0, relative: 0 } : {});
        }),
        { numRuns: 60 },
      );
    } finally {
      for (const name of names) tf.removeBackend(name);
    }
  });

  it('in one dimension', () => {
    both(() => {
      const [x, filter] = [tensor(1, [3, 21, 5]) as tf.Tensor3D, tensor(2, [4, 5, 9]) as tf.Tensor3D];
      return [tf.conv1d(x, filter, 2, 'same'), tf.conv1d(x, filter, 1, 'valid', 'NWC', 3)];
    });
  });

  it('with bias and every activation', () => {
    const [x, filter] = [tensor(1, [2, 8, 9, 6]) as tf.Tensor4D, tensor(2, [3, 3, 6, 20], 0.3) as tf.Tensor4D];
    for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const) {
      both(() => [
        tf.fused.conv2d({
          ...{ x, filter, strides: 1, pad: 'same', bias: tensor(3, [20]), activation, leakyreluAlpha: 0.3 },
          ...(activation === 'prelu' ? { preluActivationWeights: tensor(4, [20]) } : {}),
        }),
      ]);
    }
  });

  it('leaves channels first and integers to the stock kernel', () => {
    both(() => [
      tf.conv2d(tensor(1, [2, 3, 7, 6]) as tf.Tensor4D, tensor(2, [3, 3, 3, 4]) as tf.Tensor4D, 1, 'same', 'NCHW'),
    ]);
  });

  it('leaks no memory', () => {
    tf.setBackend('ostinato-cpu');
    const bytes = () => (tf.memory() as tf.MemoryInfo & { allocatedBytes: number }).allocatedBytes;
    const [x, filter] = [tensor(1, [2, 8, 9, 6]) as tf.Tensor4D, tensor(2, [3, 3, 6, 20]) as tf.Tensor4D];
    const run = () =>
      tf.tidy(() => {
        tf.grads((...[a, b]) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([x, filter]);
      });
    run();
    const before = bytes();
    run();
    expect(bytes()).toBe(before);
  });
});

describe('threads', () => {
  const counts = [1, 2, 3];
  for (const threads of counts) {
    const backend = new OstinatoCpuBackend({ threads, maximumPages: 4096 });
    tf.registerBackend(`convolution-${threads}`, () => backend);
    tf.copyRegisteredKernels('ostinato-cpu', `convolution-${threads}`);
  }
  afterAll(() => {
    for (const threads of counts) tf.removeBackend(`convolution-${threads}`);
  });

  it.each([
    [4, 17, 3, 70, 1],
    [2, 31, 20, 16, 2],
    [1, 40, 65, 33, 1],
    [2, 50, 3, 40, 1],
  ])(
    'give the same bits: %i images of %i², %i → %i channels, stride %i',
    async (batch, side, inputs, outputs, stride) => {
      const results = [];
      for (const threads of counts) {
        await tf.setBackend(`convolution-${threads}`);
        const { team } = tf.backend() as OstinatoCpuBackend;
        while (team.threadsFor(1e9) < threads) await new Promise(resolve => setTimeout(resolve, 5));
        results.push(
          on(`convolution-${threads}`, () => {
            const x = tensor(1, [batch, side, side, inputs]) as tf.Tensor4D;
            const filter = tensor(2, [3, 3, inputs, outputs]) as tf.Tensor4D;
            const convolve = (a: tf.Tensor4D, b: tf.Tensor4D) => tf.conv2d(a, b, stride, 'same');
            return [
              convolve(x, filter),
              ...tf.grads((...[a, b]) => convolve(a as tf.Tensor4D, b as tf.Tensor4D))([x, filter]),
            ];
          }).map(({ values }) => [...values]),
        );
      }
      for (const other of results.slice(1)) expect(other).toEqual(results[0]);
      await tf.setBackend('ostinato-cpu');
    },
  );
});
