// Native kernels: which library is taken or refused, and every kernel against its WebAssembly twin.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { signatures, sourceHash } from '../src/generated/signatures.ts';
import { OstinatoCpuBackend } from '../src/index.ts';
import type { Kernels } from '../src/kernels.ts';
import { builtFor } from '../src/native-file.ts';
import { layerSteps } from './layer-step-case.ts';
import { optimizerSteps } from './optimizer-cases.ts';
import { absent, expectClose, numbers, on, runKernel, type Tensors, tensor } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-native-test-'));
const before = process.env['OSTINATO_NATIVE'];
const restore = () => {
  if (before === undefined) delete process.env['OSTINATO_NATIVE'];
  else process.env['OSTINATO_NATIVE'] = before;
};

afterEach(restore);
afterAll(() => rmSync(folder, { recursive: true }));

/** The head of a 64-bit ELF library. */
function elf(machine: number): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes[18] = machine;
  return bytes;
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Why a folder with this library and this manifest is refused. */
function refusal(bytes: Uint8Array | undefined, changes: { sources?: string; sha256?: string } = {}): string {
  const place = join(folder, 'refused');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  if (bytes) writeFileSync(join(place, 'kernels-v3.so'), bytes);
  const sha256 = changes.sha256 ?? hashOf(bytes ?? new Uint8Array());
  const libraries = [{ file: 'kernels-v3.so', variant: 'v3', sha256 }];
  const manifest = { target: 'x', sources: changes.sources ?? sourceHash, compiler: 'none', libraries };
  writeFileSync(join(place, 'manifest.json'), JSON.stringify(manifest));
  process.env['OSTINATO_NATIVE'] = place;
  const { level, reason } = new OstinatoCpuBackend({ maximumPages: 512 }).info;
  expect(level).toMatch(/simd$/);
  return reason;
}

const own = process.arch === 'arm64' ? 183 : 62;
const other = process.arch === 'arm64' ? 62 : 183;

describe('a library that cannot be used gives its reason and no crash', () => {
  it('stale', () => {
    expect(refusal(elf(own), { sources: 'others' })).toContain(
      'the native kernels are stale, built from other sources',
    );
  });

  it('missing, and no manifest', () => {
    expect(refusal(undefined)).toContain('kernels-v3.so is missing');
    process.env['OSTINATO_NATIVE'] = join(folder, 'nowhere');
    expect(new OstinatoCpuBackend({ maximumPages: 512 }).info.reason).toContain(
      'manifest of the native kernels cannot',
    );
  });

  it('for another machine', () => {
    expect(refusal(elf(other))).toMatch(/kernels-v3.so is for linux-(x64|arm64), this is \w+-\w+$/);
  });

  it('truncated, changed, or no library at all', () => {
    const whole = elf(own);
    for (const bytes of [whole.slice(0, 2000), whole.slice(0, 10), new Uint8Array(0), new Uint8Array(4096)]) {
      expect(refusal(bytes, { sha256: hashOf(whole) })).toMatch(/kernels-v3.so is (damaged|for linux)/);
    }
  });

  it.runIf(process.platform === 'linux')('what only the system can tell', () => {
    expect(refusal(elf(own))).toMatch(/simd.*; .+/is);
  });

  it('is recognised by its header on every platform', () => {
    const mach = new Uint8Array(64);
    mach.set([0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1]);
    const pe = new Uint8Array(256);
    pe.set([0x4d, 0x5a]);
    pe[60] = 128;
    pe.set([0x50, 0x45, 0, 0, 0x64, 0x86], 128);
    expect([elf(62), elf(183), mach, pe].map(builtFor)).toEqual([
      'linux-x64',
      'linux-arm64',
      'darwin-arm64',
      'win32-x64',
    ]);
    expect([elf(3), mach.slice(0, 30), pe.slice(0, 100)].map(builtFor)).toEqual([undefined, undefined, undefined]);
  });
});

describe('native code is left alone', () => {
  it('when it is switched off', () => {
    const { level, reason } = new OstinatoCpuBackend({ maximumPages: 512, native: 'off' }).info;
    expect(level).toMatch(/simd$/);
    expect(reason).toContain("switched off by native: 'off'");
  });

  it('when the memory is not shared', () => {
    restore();
    const { level, reason } = new OstinatoCpuBackend({ maximumPages: 512, sharedMemory: false }).info;
    expect(level).toMatch(/simd$/);
    expect(reason).toMatch(/native code (needs shared memory|is switched off)/);
  });
});

const native = new OstinatoCpuBackend();
const portable = new OstinatoCpuBackend({ native: 'off' });
const isNative = !/simd$/.test(native.info.level);
tf.registerBackend('test-native', () => native);
tf.registerBackend('test-portable', () => portable);
for (const name of ['test-native', 'test-portable']) tf.copyRegisteredKernels('ostinato-cpu', name);

/** Names of the kernels that were called. */
const called = new Set<string>();
(native as { kernels: Kernels }).kernels = new Proxy(native.kernels, {
  get(kernels, name) {
    called.add(name as string);
    return kernels[name as keyof Kernels];
  },
});

const run = native.team.run.bind(native.team);
native.team.run = (name, ...rest) => {
  called.add(name);
  run(name, ...rest);
};

function both(body: () => tf.Tensor[], tolerance?: { absolute?: number; relative?: number }): void {
  expectClose(on('test-native', body), on('test-portable', body), tolerance);
}

const size = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(1, 2, 3, 15, 16, 17, 31, 33, 63, 64, 65));
const few = fc.integer({ min: 1, max: 9 });

it.runIf(process.env['OSTINATO_EXPECT_NATIVE'])('has native kernels where a release says so', () => {
  expect(isNative || native.info.reason.includes('this processor or system lacks'), native.info.reason).toBe(true);
});

describe.runIf(isNative)(`native (${native.info.level}) against WebAssembly; ${native.info.reason}`, () => {
  it('matrix products of every form, nothing and one included', () => {
    const upToLarge = fc.oneof(size, fc.constantFrom(0, 1, 97, 130));
    fc.assert(
      fc.property(upToLarge, upToLarge, upToLarge, fc.boolean(), fc.boolean(), (m, k, n, transposeA, transposeB) => {
        const shapes = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]] as const;
        both(() => [tf.matMul(tensor(1, shapes[0]), tensor(2, shapes[1]), transposeA, transposeB)]);
      }),
      { numRuns: 300 },
    );
  });

  it('arithmetic, functions, reductions and transposition', () => {
    fc.assert(
      fc.property(few, size, (rows, columns) => {
        both(() => {
          const [a, b, row] = [tensor(1, [rows, columns]), tensor(2, [rows, columns]), tensor(3, [columns], 90)];
          const values = [tf.add(a, row), tf.sub(a, b), tf.mul(row, b), tf.div(a, tf.add(tf.square(b), 1))];
          const extremes = [tf.maximum(a, b), tf.minimum(a, tf.scalar(0.1)), tf.relu(a), tf.relu6(tf.mul(a, 9))];
          const functions = [tf.exp(a), tf.tanh(a), tf.sigmoid(row), tf.sqrt(tf.abs(a)), tf.neg(b), tf.softmax(a)];
          const gelu = ['erf', 'tanh'].flatMap(form => {
            const attributes = { approximate: form === 'tanh' ? 'tanh' : 'none' };
            const [output] = runKernel('OstinatoGelu', { input: a }, attributes);
            const silu = [
              ...runKernel('OstinatoSilu', { input: a }),
              ...runKernel('OstinatoSiluGrad', { input: a, dOutput: b }),
            ];
            return [output!, ...runKernel('OstinatoGeluGrad', { input: a, dOutput: b }, attributes), ...silu];
          });
          const sums = [tf.sum(a, 1), tf.sum(a, 0), tf.sum(a), tf.addN([a, b, a])];
          const cube = tensor(4, [rows, 3, columns]);
          const turned = [tf.transpose(a), tf.transpose(cube, [1, 0, 2]), tf.transpose(cube, [2, 1, 0])];
          return [...values, ...extremes, ...functions, ...gelu, ...sums, ...turned];
        });
      }),
      { numRuns: 100 },
    );
  });

  it('NaN and infinities', () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e-40, -3, 200, -200];
    const pairs = odd.flatMap(a => odd.map(b => [a, b] as const));
    both(() => {
      const [a, b] = [tf.tensor1d(pairs.map(([x]) => x)), tf.tensor1d(pairs.map(([, y]) => y))];
      const functions = [tf.exp(a), tf.tanh(a), tf.sigmoid(a), tf.relu(a), tf.relu6(a), tf.abs(a), tf.sqrt(a)];
      return [tf.maximum(a, b), tf.minimum(a, b), tf.add(a, b), tf.mul(a, b), tf.div(a, b), ...functions];
    });
  });

  it('small work on the WebAssembly table has the bits of native code', () => {
    const { kernelMemory, kernels, smallKernels } = native;
    const bits = Int32Array.from({ length: 4096 }, (_, i) => Math.imul(i, 1_048_583)); // all exponents, NaN and infinities
    const [x, y, slow, fast] = [0, 0, 0, 0].map(() => kernelMemory.allocate(4 * bits.length)) as [
      number,
      number,
      number,
      number,
    ];
    const at = (address: number) => new Float32Array(kernelMemory.buffer, address, bits.length);
    at(x).set(new Float32Array(bits.buffer));
    at(y).set(numbers(1, bits.length, 1e3));
    const equal = () => at(slow).every((value, i) => Object.is(value, at(fast)[i]));
    for (let operation = 0; operation < 14; operation++) {
      kernels.unary(operation, x, slow, bits.length, 0, 1, 0);
      smallKernels.unary(operation, x, fast, bits.length, 0, 1, 0);
      expect(equal(), `unary ${operation}`).toBe(true);
    }
    for (let operation = 0; operation < 6; operation++) {
      kernels.binary(operation, x, 0, 1, y, 0, 1, slow, 1, bits.length, 0, 1, 0);
      smallKernels.binary(operation, x, 0, 1, y, 0, 1, fast, 1, bits.length, 0, 1, 0);
      expect(equal(), `binary ${operation}`).toBe(true);
    }
    for (const [rows, columns] of [
      [8, 512],
      [64, 61],
      [1365, 3],
    ] as const) {
      kernels.sum_inner(y, slow, rows, columns, 0, 0, 1, 0);
      smallKernels.sum_inner(y, fast, rows, columns, 0, 0, 1, 0);
      kernels.sum_middle(y, slow + 8192, 1, rows, columns, 0, 1, 0);
      smallKernels.sum_middle(y, fast + 8192, 1, rows, columns, 0, 1, 0);
      expect([kernels, smallKernels].map(table => table.sum_inner_work(1, 9000, 2))).toEqual([3, 3]);
      expect(equal(), `sums of ${rows} × ${columns}`).toBe(true);
    }
    for (const address of [x, y, slow, fast]) kernelMemory.release(address);
  });

  it('extremes, products, places and gathers', () => {
    fc.assert(
      fc.property(few, size, size, (outer, middle, inner) => {
        both(() => {
          const x = tf.round(tensor(outer, [outer, middle, inner], 3));
          const ids = tf.tensor1d([0, outer - 1, 0], 'int32');
          const over = [0, 1, 2].flatMap(axis => [tf.max(x, axis), tf.min(x, axis), tf.prod(x, axis)]);
          const places = [0, 1, 2].flatMap(axis => [tf.argMax(x, axis), tf.argMin(x, axis)]);
          const gathered = tf.gather(x, ids);
          return [...over, ...places, tf.max(x, [0, 2]), gathered, tf.unsortedSegmentSum(gathered, ids, outer)];
        });
      }),
      { numRuns: 60 },
    );
  });

  it('indices of slices, running sums, one-hot rows, the largest, any and all, bit for bit', () => {
    fc.assert(
      fc.property(few, size, size, (outer, middle, inner) => {
        both(
          () => {
            const x = tf.round(tensor(outer, [outer, middle, inner], 3));
            const pairs = tf.tensor2d([0, middle - 1, outer - 1, 0, 0, middle - 1], [3, 2], 'int32');
            const gathered = tf.gatherND(x, pairs);
            const scattered = tf.scatterND(pairs, gathered, [outer, middle, inner]);
            const whole = tf.scatterND(pairs, tf.cast(gathered, 'int32'), [outer, middle, inner]);
            const wide = tf.scatterND(tf.reshape(tf.range(0, 90, 1, 'int32'), [90, 1]), tensor(1, [90, 70]), [90, 70]);
            const running = [0, 1, 2].flatMap(axis => [
              tf.cumsum(x, axis, false, true),
              tf.cumprod(x, axis, true),
              tf.cumsum(whole, axis),
            ]);
            const { values, indices } = tf.topk(x, Math.ceil(inner / 2));
            const bools = tf.greater(x, 2);
            return [
              ...[
                gathered,
                scattered,
                whole,
                wide,
                ...running,
                values,
                indices,
                tf.tensorScatterUpdate(x, pairs, gathered),
              ],
              ...[tf.oneHot(tf.cast(x, 'int32'), 4), tf.oneHot(tf.cast(x, 'int32'), 3, 5, 7)],
              ...[0, 1, 2].flatMap(axis => [tf.any(bools, axis), tf.all(bools, axis)]),
            ];
          },
          { absolute: 0, relative: 0 },
        );
      }),
      { numRuns: 60 },
    );
  });

  it('depthwise convolution and its gradients', () => {
    fc.assert(
      fc.property(few, few, size, few, few, fc.boolean(), (height, width, channels, filter, stride, twice) => {
        both(
          () => {
            const weights = tensor(2, [filter, 3, channels, twice ? 2 : 1]);
            const x = tensor(1, [2, height + 3, width, channels]);
            const convolve = (a: tf.Tensor, b: tf.Tensor) =>
              tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, 'same');
            return [convolve(x, weights), ...tf.grads(convolve)([x, weights], tensor(3, convolve(x, weights).shape))];
          },
          { absolute: 1e-5, relative: 1e-5 },
        );
      }),
      { numRuns: 40 },
    );
  });

  it('broadcasting, comparisons, choices, logic and casts', () => {
    fc.assert(
      fc.property(few, size, size, (outer, middle, inner) => {
        both(() => {
          const a = tf.round(tensor(outer, [outer, 1, inner], 3));
          const b = tf.round(tensor(middle, [middle, 1], 3));
          const bools = [tf.equal(a, b), tf.notEqual(a, b), tf.less(a, b), tf.lessEqual(a, b), tf.greater(b, a)];
          const whole = [tf.add(a, b), tf.maximum(a, b), tf.where(bools[2]!, tf.add(a, b), tf.mul(a, b))];
          const logic = [
            tf.logicalAnd(bools[0]!, bools[1]!),
            tf.logicalOr(bools[2]!, bools[3]!),
            tf.logicalNot(bools[4]!),
          ];
          const casts = [
            tf.cast(a, 'int32'),
            tf.cast(a, 'bool'),
            tf.cast(bools[0]!, 'float32'),
            tf.cast(bools[1]!, 'int32'),
          ];
          const all = whole[0]!;
          const pieces = [tf.clipByValue(all, -1, 1), tf.leakyRelu(all, 0.3), tf.step(all, 0.5)];
          return [...bools, ...whole, ...logic, ...casts, tf.cast(casts[0]!, 'float32'), ...pieces];
        });
      }),
      { numRuns: 60, examples: [[2, 80, 80]] }, // one of them large enough for every kernel
    );
  });

  it('steps of transformer layers', () => {
    const flags = { preNorm: fc.boolean(), rms: fc.boolean(), gated: fc.boolean() };
    const sizes = { batch: few, keyHeads: few, group: few, width: few, hidden: size };
    fc.assert(
      fc.property(fc.record({ ...sizes, ...flags }), given => {
        both(() => layerSteps(given));
      }),
      { numRuns: 60 },
    );
  });

  it('convolution, pooling and their gradients', () => {
    fc.assert(
      fc.property(few, few, size, size, few, few, (batch, side, inputs, outputs, filter, stride) => {
        both(
          () => {
            const [x, weights] = [tensor(1, [batch, side + 3, side, inputs]), tensor(2, [filter, 3, inputs, outputs])];
            const pooled = (image: tf.Tensor4D) => [
              tf.maxPool(image, [2, 3], stride, 'same'),
              tf.avgPool(image, 3, stride, 'same'),
            ];
            const network = (...[a, b]: tf.Tensor[]) =>
              tf.addN(pooled(tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, 'same')).map(part => tf.sum(part)));
            const moments = [3, 4, 5, 6].map(seed => tf.abs(tensor(seed, [inputs]))) as tf.Tensor1D[];
            const normalised = tf.batchNorm(
              x,
              moments[0]!,
              tf.add(moments[1]!, 0.5) as tf.Tensor1D,
              moments[2]!,
              moments[3]!,
            );
            return [...pooled(x as tf.Tensor4D), normalised, ...tf.grads(network)([x, weights])];
          },
          { absolute: 1e-3, relative: 1e-4 },
        );
      }),
      { numRuns: 40 },
    );
  });

  it('the loops that measure the peak', () => {
    const { kernelMemory, kernels, team } = native;
    const [sums, from, to] = [16, 8192, 8192].map(floats => kernelMemory.allocate(4 * floats)) as [
      number,
      number,
      number,
    ];
    const floats = (address: number, size: number) => new Float32Array(kernelMemory.buffer, address, size);
    floats(sums, 1)[0] = 0.5;
    floats(from, 8192).set(Float32Array.from({ length: 8192 }, (_, i) => i));
    team.run('peak_multiply_add', 1, [sums, 100]);
    team.run('peak_copy', 1, [from, to, 8192]);
    expect(floats(sums, 1)[0]).toBe(kernels.peak_operations() / 2); // every lane tends to 1
    expect([...floats(to, 8192)]).toEqual([...floats(from, 8192)]);
    for (const address of [sums, from, to]) kernelMemory.release(address);
  });

  it('dropout and random words, bit for bit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.constantFrom(0, 0.1, 0.5, 0.97), (length, rate) => {
        const attributes = { rate, key: [length * 77_777_777, 0xfedcba98] };
        both(() => runKernel('OstinatoDropout', { input: tensor(1, [length]) }, attributes), {
          absolute: 0,
          relative: 0,
        });
      }),
    );
    const words = [native, portable].map(({ kernels, kernelMemory }) => {
      const address = kernelMemory.allocate(8);
      kernels.random_words(0x13198a2e, 0x03707344, 0x243f6a88, 0xffffffff, address);
      const values = Array.from(new Uint32Array(kernelMemory.buffer, address, 2));
      kernelMemory.release(address);
      return values;
    });
    expect(words[0]).toEqual(words[1]);
  });

  it('steps of optimizers and their norms, bit for bit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 2500 }), { minLength: 1, maxLength: 4 }),
        fc.nat(20),
        (sizes, first) => {
          const around = { weightDecay: 0.1, gradientDecay: 0.2, limit: 0.7, scaled: true };
          both(
            () => {
              const { inputs, steps } = optimizerSteps(sizes, first, around);
              const [norm] = runKernel('OstinatoOptimizerNorm', inputs as never, { steps });
              return [
                ...[norm!, ...runKernel('OstinatoNorm', sizes.map((count, i) => tensor(i, [count])) as never)],
                ...runKernel('OstinatoOptimizerUpdate', inputs.slice(0, 6) as never, { steps: steps.slice(0, 1) }),
                ...runKernel('OstinatoOptimizerStep', inputs as never, { steps }),
              ];
            },
            { absolute: 0, relative: 0 },
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('cross-entropy, norms and embedding', () => {
    fc.assert(
      fc.property(few, size, fc.boolean(), (rows, columns, has) => {
        const optional = (seed: number) => (has ? tf.add(tensor(seed, [columns]), 1.5) : absent());
        both(
          () => {
            const [x, d] = [tensor(1, [rows, columns], 10), tensor(2, [rows, columns])];
            const labels = tf.tensor1d(
              Array.from({ length: rows }, (_, i) => (7 * i) % columns),
              'int32',
            );
            const entropy = { logits: x, labels, classWeights: optional(3) };
            const smoothed = { labelSmoothing: has ? 0.1 : 0, ignoreIndex: has ? 0 : null };
            const [losses, logSumExp] = runKernel('OstinatoSoftmaxCrossEntropy', entropy, smoothed);
            const entropyInputs = { ...entropy, logSumExp: logSumExp!, dLosses: tensor(4, [rows]) };
            const norms = (['Layer', 'Rms'] as const).flatMap(kind => {
              const inputs: Tensors = {
                input: x,
                gain: optional(5),
                ...(kind === 'Layer' ? { bias: optional(6) } : {}),
              };
              const [output, ...saved] = runKernel(`Ostinato${kind}Norm`, inputs, { epsilon: 1e-3 });
              const names = kind === 'Layer' ? ['mean', 'inverseDeviation'] : ['inverseRms'];
              const rest = Object.fromEntries(names.map((name, index) => [name, saved[index]!]));
              const all = { ...inputs, ...rest, dOutput: d };
              return [output!, ...runKernel(`Ostinato${kind}NormGrad`, all, { epsilon: 1e-3 })];
            });
            const lookup = { vocabularySize: columns, paddingIndex: null };
            const table = tensor(7, [columns, rows]);
            return [
              ...[
                losses!,
                logSumExp!,
                ...runKernel('OstinatoSoftmaxCrossEntropyGrad', entropyInputs, smoothed),
                ...norms,
              ],
              ...runKernel('OstinatoEmbedding', { table, ids: labels }, lookup),
              ...runKernel('OstinatoEmbeddingGrad', { ids: labels, dOutput: tensor(8, [rows, 5]) }, lookup),
            ];
          },
          { absolute: 2e-4, relative: 1e-4 },
        );
      }),
      { numRuns: 150 },
    );
  });

  it('the recurrences', () => {
    const sequences = fc.record({ batch: few, time: few, inputs: few, hidden: size, padded: fc.boolean() });
    fc.assert(
      fc.property(sequences, fc.boolean(), ({ batch, time, inputs, hidden, padded }, variant) => {
        for (const [kernel, gates, attributes] of [
          ['OstinatoRnn', 1, { activation: variant ? 'tanh' : 'relu' }],
          ['OstinatoLstm', 4, {}],
          ['OstinatoGru', 3, { resetAfter: variant }],
        ] as const) {
          both(
            () => {
              const isLstm = kernel === 'OstinatoLstm';
              const operands: Tensors = {
                input: tensor(1, [batch, time, inputs]),
                inputWeight: tensor(2, [inputs, gates * hidden]),
                recurrentWeight: tensor(3, [hidden, gates * hidden], 0.3),
                bias: tensor(4, [gates * hidden]),
                initialHidden: tensor(5, [batch, hidden]),
                ...(isLstm ? { initialCell: tensor(6, [batch, hidden]), projection: absent() } : {}),
                ...(kernel === 'OstinatoGru' ? { recurrentBias: absent() } : {}),
              };
              const counts = Array.from({ length: batch }, (_, i) => (3 * i) % (time + 1));
              const lengths = padded ? tf.tensor1d(counts, 'int32') : absent();
              const all = { reverse: variant, ...attributes };
              const outputs = runKernel(kernel, { ...operands, lengths }, all);
              const reserve = outputs[isLstm ? 3 : 2];
              const d = { dOutput: tensor(7, [batch, time, hidden]), dHidden: tensor(8, [batch, hidden]) };
              const more = {
                ...(reserve ? { reserve } : {}),
                ...(isLstm ? { dCell: tensor(9, [batch, hidden]) } : {}),
              };
              // Of a relu whose input rounds to either side of 0, the slopes differ: there both read the same states.
              const given = kernel === 'OstinatoRnn' && !variant;
              const output = given ? tf.relu(tensor(10, [batch, time, hidden])) : outputs[0]!;
              const gradientInputs = { ...operands, lengths, output, ...more, ...d };
              const results = outputs.slice(0, isLstm ? 3 : 2);
              return [...results, ...runKernel(`${kernel}Grad`, gradientInputs, all)];
            },
            { absolute: 3e-4, relative: 3e-4 },
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it('attention', () => {
    const two = fc.integer({ min: 1, max: 2 });
    const sizes = fc.record({
      ...{ batch: two, keyHeads: two, group: fc.integer({ min: 1, max: 3 }), queryTime: size, keyTime: size },
      ...{ width: few, valueWidth: size, causal: fc.boolean(), biased: fc.boolean(), padded: fc.boolean() },
      dropoutRate: fc.constantFrom(0, 0.4),
    });
    fc.assert(
      fc.property(sizes, ({ batch, keyHeads, group, queryTime, keyTime, width, valueWidth, ...options }) => {
        const heads = keyHeads * group;
        const attributes = {
          ...{ scale: 0.5, causal: options.causal, causalOffset: keyTime - queryTime },
          ...{ dropoutRate: options.dropoutRate, dropoutKey: [3, 4] },
        };
        both(
          () => {
            const lengths = Array.from({ length: batch }, (_, b) => (5 * b + 2) % (keyTime + 1));
            const inputs = {
              query: tensor(1, [batch, heads, queryTime, width]),
              key: tensor(2, [batch, keyHeads, keyTime, width]),
              value: tensor(3, [batch, keyHeads, keyTime, valueWidth]),
              bias: options.biased ? tensor(4, [1, heads, queryTime, keyTime]) : absent(),
              keyLengths: options.padded ? tf.tensor1d(lengths, 'int32') : absent(),
            };
            const [output, reserve] = runKernel('OstinatoAttention', inputs, attributes);
            const more = { output: output!, reserve: reserve!, dOutput: tensor(5, output!.shape) };
            return [output!, ...runKernel('OstinatoAttentionGrad', { ...inputs, ...more }, attributes)];
          },
          { absolute: 1e-4, relative: 1e-4 },
        );
      }),
      { numRuns: 60 },
    );
  });

  it('and these were all of them', () => {
    expect(Object.keys(signatures).filter(name => !called.has(name))).toEqual([]);
  });
});
