// Any number of threads gives the same bits; threads come with the first large job, and go with the backend.
import { execFileSync } from 'node:child_process';
import type { Worker } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import { layerSteps } from './layer-step-case.ts';
import { optimizerSteps } from './optimizer-cases.ts';
import { absent, on, runKernel, tensor } from './support.ts';

const counts = [1, 2, 3, 5] as const;
const backends = new Map<string, OstinatoCpuBackend>();
const large = 1e9;

/** Waits until all threads have arrived. */
async function arrived(backend: OstinatoCpuBackend): Promise<void> {
  while (backend.team.threadsFor(large) < backend.team.wanted) await new Promise(resolve => setTimeout(resolve, 5));
}

beforeAll(async () => {
  for (const threads of counts) {
    const backend = new OstinatoCpuBackend({ threads, maximumPages: 8192 });
    const name = `threads-${threads}`;
    tf.registerBackend(name, () => backend);
    tf.copyRegisteredKernels('ostinato-cpu', name);
    backends.set(name, backend);
    await arrived(backend);
    backend.team.fewFloats = 1000;
  }
});

afterAll(() => {
  for (const name of backends.keys()) tf.removeBackend(name);
});

/** Runs `body` on one thread and on several; all bits must agree. */
function expectSameBits(body: () => tf.Tensor[]): void {
  const bytes = ({ values }: { values: Float32Array }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const [one, ...others] = [...backends.keys()].map(name => on(name, body).map(bytes));
  for (const other of others) {
    expect(other.length).toBe(one!.length);
    expect(other.findIndex((output, i) => !output.equals(one![i]!))).toBe(-1); // index of the first that differs
  }
}

const size = (max: number) => fc.integer({ min: 1, max });

describe('a team of threads gives the bits that one thread gives', { timeout: 120_000 }, () => {
  it('in matrix products, all transpositions, batched and not', () => {
    fc.assert(
      fc.property(
        fc.tuple(size(5), size(400), size(300), size(400)),
        fc.boolean(),
        fc.boolean(),
        ([batch, m, k, n], transposeA, transposeB) => {
          expectSameBits(() => [
            tf.matMul(
              tensor(1, [batch, ...(transposeA ? [k, m] : [m, k])]),
              tensor(2, [batch, ...(transposeB ? [n, k] : [k, n])]),
              transposeA,
              transposeB,
            ),
          ]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each([
    [1, 1000, 3000],
    [3, 2000, 1001],
    [3001, 500, 1],
    [2003, 700, 3],
    [700, 300, 2],
  ])('in thin products [%i, %i]·[%i]', (m, k, n) => {
    for (const [transposeA, transposeB] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const [a, b] = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
      expectSameBits(() => [
        tf.matMul(tensor(1, a) as tf.Tensor2D, tensor(2, b) as tf.Tensor2D, transposeA, transposeB),
      ]);
    }
  });

  const sizes = fc.record({
    batch: size(9),
    time: size(12),
    inputs: size(40),
    hidden: size(150),
    reverse: fc.boolean(),
    padded: fc.boolean(),
  });
  const lengthsOf = (padded: boolean, batch: number, time: number): tf.Tensor =>
    padded
      ? tf.tensor1d(
          Array.from({ length: batch }, (_, b) => (7 * b + 3) % (time + 1)),
          'int32',
        )
      : tf.tensor1d([], 'int32');

  it('in LSTMs, with and without projection', () => {
    fc.assert(
      fc.property(sizes, fc.boolean(), ({ batch, time, inputs, hidden, reverse, padded }, projected) => {
        const outputs = projected ? Math.ceil(hidden / 2) : hidden;
        expectSameBits(() => {
          const arguments_ = {
            input: tensor(1, [batch, time, inputs]),
            inputWeight: tensor(2, [inputs, 4 * hidden], 0.3),
            recurrentWeight: tensor(3, [outputs, 4 * hidden], 0.3),
            bias: tensor(4, [4 * hidden]),
            initialHidden: tensor(5, [batch, outputs]),
            initialCell: tensor(6, [batch, hidden]),
            projection: projected ? tensor(7, [hidden, outputs], 0.3) : absent(),
            lengths: lengthsOf(padded, batch, time),
          };
          const [output, hiddenState, cellState, reserve] = runKernel('OstinatoLstm', arguments_, { reverse });
          const gradients = runKernel(
            'OstinatoLstmGrad',
            {
              ...arguments_,
              output: output!,
              reserve: reserve!,
              dOutput: tensor(8, [batch, time, outputs]),
              dHidden: tensor(9, [batch, outputs]),
              dCell: tensor(10, [batch, hidden]),
            },
            { reverse },
          );
          return [output!, hiddenState!, cellState!, ...gradients];
        });
      }),
      { numRuns: 40 },
    );
  });

  it('in attention, whatever the bias is broadcast over', () => {
    const time = fc.integer({ min: 60, max: 200 });
    const shapes = fc.record({ batch: size(4), keyHeads: size(3), group: size(3), queryTime: time, keyTime: time });
    const broadcast = fc.option(fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()));
    fc.assert(
      fc.property(shapes, broadcast, fc.boolean(), ({ batch, keyHeads, group, queryTime, keyTime }, bias, padded) => {
        const scores = [batch, keyHeads * group, queryTime, keyTime];
        expectSameBits(() => {
          const inputs = {
            query: tensor(1, [batch, keyHeads * group, queryTime, 20]),
            key: tensor(2, [batch, keyHeads, keyTime, 20]),
            value: tensor(3, [batch, keyHeads, keyTime, 9]),
            bias: bias
              ? tensor(
                  4,
                  bias.map((whole, axis) => (whole ? scores[axis]! : 1)),
                )
              : absent(),
            keyLengths: lengthsOf(padded, batch, keyTime),
          };
          const attributes = {
            ...{ scale: 0.2, causal: true, causalOffset: keyTime - queryTime },
            ...{ dropoutRate: 0.1, dropoutKey: [1, 2] },
          };
          const [output, reserve] = runKernel('OstinatoAttention', inputs, attributes);
          const all = { ...inputs, output: output!, reserve: reserve!, dOutput: tensor(5, output!.shape) };
          return [output!, ...runKernel('OstinatoAttentionGrad', all, attributes)];
        });
      }),
      { numRuns: 40 },
    );
  });

  it.each(['tanh', 'relu'])('in simple networks, %s', activation => {
    fc.assert(
      fc.property(sizes, ({ batch, time, inputs, hidden, reverse, padded }) => {
        expectSameBits(() => {
          const arguments_ = {
            input: tensor(1, [batch, time, inputs]),
            inputWeight: tensor(2, [inputs, hidden], 0.3),
            recurrentWeight: tensor(3, [hidden, hidden], 0.1),
            bias: tensor(4, [hidden]),
            initialHidden: tensor(5, [batch, hidden]),
            lengths: lengthsOf(padded, batch, time),
          };
          const attributes = { reverse, activation };
          const [output, hiddenState] = runKernel('OstinatoRnn', arguments_, attributes);
          const gradients = {
            output: output!,
            dOutput: tensor(8, [batch, time, hidden]),
            dHidden: tensor(9, [batch, hidden]),
          };
          return [output!, hiddenState!, ...runKernel('OstinatoRnnGrad', { ...arguments_, ...gradients }, attributes)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it.each([true, false])('in GRUs, reset after: %s', resetAfter => {
    fc.assert(
      fc.property(sizes, ({ batch, time, inputs, hidden, reverse, padded }) => {
        expectSameBits(() => {
          const arguments_ = {
            input: tensor(1, [batch, time, inputs]),
            inputWeight: tensor(2, [inputs, 3 * hidden], 0.3),
            recurrentWeight: tensor(3, [hidden, 3 * hidden], 0.3),
            bias: tensor(4, [3 * hidden]),
            recurrentBias: resetAfter ? tensor(6, [3 * hidden]) : absent(),
            initialHidden: tensor(5, [batch, hidden]),
            lengths: lengthsOf(padded, batch, time),
          };
          const attributes = { reverse, resetAfter };
          const [output, hiddenState, reserve] = runKernel('OstinatoGru', arguments_, attributes);
          const gradients = {
            output: output!,
            reserve: reserve!,
            dOutput: tensor(8, [batch, time, hidden]),
            dHidden: tensor(9, [batch, hidden]),
          };
          return [output!, hiddenState!, ...runKernel('OstinatoGruGrad', { ...arguments_, ...gradients }, attributes)];
        });
      }),
      { numRuns: 30 },
    );
  });
});

describe('work bound by memory gives the same bits too', { timeout: 120_000 }, () => {
  const rows = fc.integer({ min: 1, max: 20 });
  const columns = fc.integer({ min: 50, max: 5000 });

  it('elementwise, broadcast, sums, softmax, transposition', () => {
    fc.assert(
      fc.property(rows, columns, fc.boolean(), (few, many, tall) => {
        const shape = tall ? [many, few] : [few, many];
        expectSameBits(() => {
          const [a, b] = [tensor(1, shape, 3), tensor(2, shape, 3)];
          const [row, column] = [tensor(3, [1, shape[1]!]), tensor(4, [shape[0]!, 1])];
          const cube = tf.reshape(a, [few, many, 1]);
          const turned = tf.transpose(tf.reshape(tensor(5, [few * many * 2]), [few, many, 2]), [1, 0, 2]);
          const gelu = runKernel('OstinatoGelu', { input: a }, { approximate: 'none' });
          const gradients = ['OstinatoGeluGrad', 'OstinatoSiluGrad'].flatMap(name =>
            runKernel(name, { input: a, dOutput: b }, { approximate: 'tanh' }),
          );
          const dropped = runKernel('OstinatoDropout', { input: a }, { rate: 0.3, key: [1, 2] });
          const sums = [tf.sum(a), tf.sum(a, 0), tf.sum(a, 1), tf.sum(cube, 1), tf.addN([a, b, a])];
          const moved = [
            tf.transpose(cube, [2, 1, 0]),
            tf.concat([a, b], 1),
            tf.pad(a, [
              [1, 0],
              [2, 3],
            ]),
            tf.tile(a, [2, 1]),
          ];
          const results = [
            ...moved,
            tf.mul(a, b),
            tf.add(a, row),
            tf.div(column, b),
            tf.tanh(a),
            tf.softmax(a),
            tf.transpose(a),
          ];
          return [...results, turned, ...gelu, ...gradients, ...dropped, ...sums];
        });
      }),
      { numRuns: 25 },
    );
  });

  it('steps of optimizers, and their norms', () => {
    fc.assert(
      fc.property(fc.array(size(20_000), { minLength: 1, maxLength: 4 }), fc.nat(20), (sizes, first) => {
        expectSameBits(() => {
          const around = { weightDecay: 0.1, gradientDecay: 0.2, limit: 0.7, scaled: true };
          const { inputs, steps } = optimizerSteps(sizes, first, around);
          const [norm] = runKernel('OstinatoOptimizerNorm', inputs as never, { steps });
          return [
            ...[norm!, ...runKernel('OstinatoNorm', sizes.map((count, i) => tensor(i, [count])) as never)],
            ...runKernel('OstinatoOptimizerUpdate', inputs.slice(0, 6) as never, { steps: steps.slice(0, 1) }),
            ...runKernel('OstinatoOptimizerStep', inputs as never, { steps }),
          ];
        });
      }),
      { numRuns: 30 },
    );
  });

  it('norms, cross-entropy, embedding', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 700 }), (count, width) => {
        expectSameBits(() => {
          const [x, dOutput] = [tensor(1, [count, width], 5), tensor(2, [count, width])];
          const [gain, bias] = [tensor(3, [width]), tensor(4, [width])];
          const options = { epsilon: 1e-5 };
          const [output, mean, inverseDeviation] = runKernel('OstinatoLayerNorm', { input: x, gain, bias }, options);
          const saved = { mean: mean!, inverseDeviation: inverseDeviation! };
          const layer = runKernel('OstinatoLayerNormGrad', { input: x, gain, bias, dOutput, ...saved }, options);
          const [scaled, inverseRms] = runKernel('OstinatoRmsNorm', { input: x, gain }, options);
          const rms = { input: x, gain, dOutput, inverseRms: inverseRms! };
          const ids = tf.tensor1d(
            Array.from({ length: count }, (_, i) => (7 * i) % width),
            'int32',
          );
          const entropy = { logits: x, labels: ids, classWeights: absent() };
          const smoothed = { labelSmoothing: 0.1, ignoreIndex: null };
          const [losses, logSumExp] = runKernel('OstinatoSoftmaxCrossEntropy', entropy, smoothed);
          const dLosses = { logSumExp: logSumExp!, dLosses: losses! };
          const table = tensor(5, [width, 300]);
          const lookup = { vocabularySize: width, paddingIndex: null };
          const rows = runKernel('OstinatoEmbedding', { table, ids }, lookup);
          return [
            ...[output!, ...layer, scaled!, ...runKernel('OstinatoRmsNormGrad', rms, options), losses!, ...rows],
            ...runKernel('OstinatoSoftmaxCrossEntropyGrad', { ...entropy, ...dLosses }, smoothed),
            ...runKernel('OstinatoEmbeddingGrad', { ids, dOutput: rows[0]! }, lookup),
          ];
        });
      }),
      { numRuns: 30 },
    );
  });

  it('in steps of transformer layers', () => {
    const flags = { preNorm: fc.boolean(), rms: fc.boolean(), gated: fc.boolean() };
    const sizes = { batch: size(5), keyHeads: size(4), group: size(3), width: size(20), hidden: size(300) };
    fc.assert(
      fc.property(fc.record({ ...sizes, ...flags }), given => {
        expectSameBits(() => layerSteps(given));
      }),
      { numRuns: 30 },
    );
  });
});

describe('threads', () => {
  const product = (): Float32Array =>
    tf.tidy(() =>
      tf.matMul(tensor(1, [200, 200]) as tf.Tensor2D, tensor(2, [200, 200]) as tf.Tensor2D).dataSync(),
    ) as Float32Array;

  it('are refused when they are no count', () => {
    for (const threads of [0, -1, 1.5, 256, Number.NaN]) {
      expect(() => new OstinatoCpuBackend({ threads })).toThrow(/OstinatoCpuBackend: threads must/);
    }
  });

  it('are one where memory is not shared', () => {
    expect(new OstinatoCpuBackend({ threads: 4, sharedMemory: false, maximumPages: 1024 }).team.wanted).toBe(1);
  });

  it('are replaced when one is lost between two jobs, and give an error when it is lost in one', async () => {
    const workers: Worker[] = [];
    const remember = (worker: Worker): number => workers.push(worker);
    process.on('worker', remember);
    const backend = new OstinatoCpuBackend({ threads: 2, maximumPages: 1024 });
    tf.registerBackend('lossy', () => backend);
    tf.copyRegisteredKernels('ostinato-cpu', 'lossy');
    tf.setBackend('lossy');
    try {
      await arrived(backend);
      const before = product();
      await workers.at(-1)!.terminate();
      expect(backend.team.threadsFor(large)).toBe(1); // those of a new team have not arrived
      expect(product()).toEqual(before);
      await arrived(backend);
      expect(product()).toEqual(before);

      await new Promise(setImmediate); // Node tells of a new worker a little later
      expect(workers.length).toBe(2);
      backend.team.patience = 1;
      const lost = workers.at(-1)!.terminate(); // its thread ends, but this one does not hear of it before the product
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
      expect(product).toThrow(/OstinatoCpu|backend-cpu \(gemm\): a thread of the 2 .* was lost/);
      await lost;
      await arrived(backend);
      expect(product()).toEqual(before);
    } finally {
      process.off('worker', remember);
      tf.setBackend('ostinato-cpu');
      tf.removeBackend('lossy');
    }
  });

  it('are not lost while the process is suspended', async () => {
    const backend = new OstinatoCpuBackend({ threads: 3, maximumPages: 1024 });
    tf.registerBackend('suspended', () => backend);
    tf.copyRegisteredKernels('ostinato-cpu', 'suspended');
    tf.setBackend('suspended');
    let reads = 0;
    let jobs = 0;
    try {
      await arrived(backend);
      const before = product();
      vi.spyOn(performance, 'now').mockImplementation(() => 3_600_000 * reads++); // an hour at every look
      // A job reads the clock when it begins, and again when it has waited for the others for a while.
      for (; reads === jobs && jobs < 10_000; jobs++) expect(product()).toEqual(before);
      expect(reads).toBeGreaterThan(jobs);
    } finally {
      vi.restoreAllMocks();
      tf.setBackend('ostinato-cpu');
      tf.removeBackend('suspended');
    }
  });

  it('do not keep Node alive', () => {
    const program = `
      import '@tensorflow/tfjs-core';
      import { OstinatoCpuBackend } from '${new URL('../src/index.ts', import.meta.url)}';
      const { team } = new OstinatoCpuBackend({ threads: 3 });
      while (team.threadsFor(1e9) < 3) await new Promise(resolve => setTimeout(resolve, 5));
      console.log('three');`;
    const options = ['--conditions=@ostinato/source', '--import', 'tsx', '--input-type=module', '--eval', program];
    expect(execFileSync(process.execPath, options, { encoding: 'utf8', timeout: 60_000 })).toBe('three\n');
  });

  it('may be given up, and the process may end, while they start', () => {
    const program = `
      import '@tensorflow/tfjs-core';
      import { OstinatoCpuBackend } from '${new URL('../src/index.ts', import.meta.url)}';
      for (let wait = 1; wait < 90; wait += 8) {
        const backend = new OstinatoCpuBackend({ threads: 3, maximumPages: 64 });
        backend.team.threadsFor(1e9);
        await new Promise(resolve => setTimeout(resolve, wait));
        backend.dispose();
      }
      console.log('gone');`;
    const options = ['--conditions=@ostinato/source', '--import', 'tsx', '--input-type=module', '--eval', program];
    expect(execFileSync(process.execPath, options, { encoding: 'utf8', timeout: 60_000 })).toBe('gone\n');
  });
});
