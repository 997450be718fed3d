// The remaining kernels of the op contract against their equations in plain ops on the stock CPU backend.
import { ResourceError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '../src/index.ts';
import type { OstinatoCpuBackend } from '../src/index.ts';
import { expectedStep, optimizerRules, optimizerSteps } from './optimizer-cases.ts';
import { absent, expectClose, numbers, on, runKernel, tensor } from './support.ts';

describe('OstinatoSoftmaxCrossEntropy', () => {
  const cases = fc
    .record({ rows: fc.integer({ min: 1, max: 6 }), classes: fc.integer({ min: 2, max: 23 }) })
    .chain(({ rows, classes }) =>
      fc.record({
        rows: fc.constant(rows),
        classes: fc.constant(classes),
        labels: fc.array(fc.integer({ min: -1, max: classes - 1 }), { minLength: rows, maxLength: rows }),
        weighted: fc.boolean(),
        labelSmoothing: fc.constantFrom(0, 0.1, 0.5),
        scale: fc.constantFrom(1, 30),
      }),
    );

  it('matches the equation and its gradient; a label of −1 is ignored here', () => {
    fc.assert(
      fc.property(cases, ({ rows, classes, labels, weighted, labelSmoothing, scale }) => {
        const logits = () => tensor(1, [rows, classes], scale);
        const weights = () => tf.add(tensor(2, [classes]), 1.5);
        const dLosses = () => tensor(3, [rows]);
        const attributes = { labelSmoothing, ignoreIndex: -1 };
        const fused = on('ostinato-cpu', () => {
          const inputs = {
            ...{ logits: logits(), labels: tf.tensor1d(labels, 'int32') },
            classWeights: weighted ? weights() : absent(),
          };
          const [losses, logSumExp] = runKernel('OstinatoSoftmaxCrossEntropy', inputs, attributes);
          const all = { ...inputs, logSumExp: logSumExp!, dLosses: dLosses() };
          return [losses!, logSumExp!, ...runKernel('OstinatoSoftmaxCrossEntropyGrad', all, attributes)];
        });
        const composed = on('cpu', () => {
          const losses = (z: tf.Tensor) => {
            const w = weighted ? weights() : tf.ones([classes]);
            const hot = tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), classes), 'float32');
            const target = tf.add(tf.mul(hot, 1 - labelSmoothing), labelSmoothing / classes);
            const kept = tf.tensor1d(labels.map(label => Number(label >= 0)));
            const perClass = tf.mul(tf.mul(target, w), tf.logSoftmax(z));
            return tf.neg(tf.mul(kept, tf.sum(perClass, 1))) as tf.Tensor1D;
          };
          const z = logits();
          return [losses(z), tf.logSumExp(z, 1), tf.grad(x => tf.sum(tf.mul(losses(x), dLosses())))(z)];
        });
        expectClose(fused, composed, { absolute: 1e-4, relative: 1e-5 });
      }),
      { numRuns: 150 },
    );
  });

  it('is right for logits of ±1e4', () => {
    const [losses, , gradient] = on('ostinato-cpu', () => {
      const inputs = {
        logits: tf.tensor2d([
          [1e4, -1e4, 1e4 - 1],
          [-1e4, -1e4, -1e4],
        ]),
        ...{ labels: tf.tensor1d([2, 0], 'int32'), classWeights: absent() },
      };
      const attributes = { labelSmoothing: 0, ignoreIndex: null };
      const outputs = runKernel('OstinatoSoftmaxCrossEntropy', inputs, attributes);
      const all = { ...inputs, logSumExp: outputs[1]!, dLosses: tf.ones([2]) };
      return [...outputs, ...runKernel('OstinatoSoftmaxCrossEntropyGrad', all, attributes)];
    });
    // log(1 + e⁻¹) + 1 and log 3; softmax of (0, −∞, −1) and of three equal logits.
    expect(losses!.values[0]).toBeCloseTo(1.3132617, 5);
    expect(losses!.values[1]).toBeCloseTo(1.0986123, 5);
    const first = 1 / (1 + Math.exp(-1));
    const expected = [first, 0, -first, -2 / 3, 1 / 3, 1 / 3];
    for (const [index, value] of expected.entries()) expect(gradient!.values[index]).toBeCloseTo(value, 6);
  });

  it('is NaN where a logit is, whichever it is', () => {
    for (const classes of [2, 4, 7]) {
      for (let at = 0; at < classes; at++) {
        const logits = numbers(1, classes);
        logits[at] = Number.NaN;
        const [losses] = on('ostinato-cpu', () => {
          const labels = tf.tensor1d([at === 0 ? 1 : 0], 'int32');
          const inputs = { logits: tf.tensor2d(logits, [1, classes]), labels, classWeights: absent() };
          return runKernel('OstinatoSoftmaxCrossEntropy', inputs, { labelSmoothing: 0, ignoreIndex: null });
        });
        expect(losses!.values[0], `${at} of ${classes}`).toBeNaN();
      }
    }
  });

  it('refuses labels outside the classes', () => {
    const inputs = () => ({ logits: tf.zeros([2, 3]), labels: tf.tensor1d([0, 3], 'int32'), classWeights: absent() });
    const attributes = { labelSmoothing: 0, ignoreIndex: null };
    expect(() => on('ostinato-cpu', () => runKernel('OstinatoSoftmaxCrossEntropy', inputs(), attributes))).toThrow(
      'OstinatoSoftmaxCrossEntropy: labels must lie within 0 … 2, got 3 at position 1.',
    );
  });
});

describe('normalisation', () => {
  const cases = fc.record({
    rows: fc.integer({ min: 1, max: 5 }),
    width: fc.integer({ min: 1, max: 37 }),
    hasGain: fc.boolean(),
    hasBias: fc.boolean(),
    offset: fc.constantFrom(0, 100),
  });
  const epsilon = 1e-5;

  it.each(['Layer', 'Rms'])('Ostinato%sNorm matches the equation and its gradient', kind => {
    const layer = kind === 'Layer';
    fc.assert(
      fc.property(cases, ({ rows, width, hasGain, hasBias, offset }) => {
        const input = () => tf.add(tensor(1, [rows, width]), layer ? offset : 0);
        const gain = () => (hasGain ? tensor(2, [width]) : absent());
        const bias = () => (hasBias && layer ? tensor(3, [width]) : absent());
        const dOutput = () => tensor(4, [rows, width]);
        const fused = on('ostinato-cpu', () => {
          const inputs = { input: input(), gain: gain(), ...(layer ? { bias: bias() } : {}) };
          const [output, ...saved] = runKernel(`Ostinato${kind}Norm`, inputs, { epsilon });
          const names = layer ? ['mean', 'inverseDeviation'] : ['inverseRms'];
          const rest = Object.fromEntries(names.map((name, index) => [name, saved[index]!]));
          const all = { ...inputs, ...rest, dOutput: dOutput() };
          return [output!, ...runKernel(`Ostinato${kind}NormGrad`, all, { epsilon })];
        });
        const composed = on('cpu', () => {
          const normalise = (x: tf.Tensor, g: tf.Tensor, b: tf.Tensor) => {
            const centred = layer ? tf.sub(x, tf.mean(x, 1, true)) : x;
            const normal = tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), 1, true), epsilon)));
            const scaled = hasGain ? tf.mul(normal, g) : normal;
            return hasBias && layer ? tf.add(scaled, b) : scaled;
          };
          const values = [input(), gain(), bias()] as [tf.Tensor, tf.Tensor, tf.Tensor];
          const loss = (x: tf.Tensor, g: tf.Tensor, b: tf.Tensor) =>
            tf.addN([
              tf.sum(tf.mul(normalise(x, g, b), dOutput())),
              tf.mul(tf.sum(g), 0),
              tf.mul(tf.sum(b), 0),
            ]) as tf.Scalar;
          return [
            normalise(...values),
            ...tf
              .grads(loss)(values)
              .slice(0, layer ? 3 : 2),
          ];
        });
        // Around 100, float32 holds the deviations to 1e-5 only.
        const absolute = width === 1 ? 0.05 : offset ? 5e-3 : 1e-4;
        if (width > 2 || !layer) expectClose(fused, composed, { absolute, relative: absolute });
        else expectClose(fused.slice(0, 1), composed.slice(0, 1), { absolute: 0.05 });
      }),
      { numRuns: 100 },
    );
  });
});

describe('OstinatoEmbedding', () => {
  it('gathers rows and sums their gradients', () => {
    const ids = [3, 0, 3, 4, 1];
    for (const width of [1, 4, 7]) {
      const [output, dTable] = on('ostinato-cpu', () => {
        const given = tf.tensor1d(ids, 'int32');
        return [
          ...runKernel('OstinatoEmbedding', { table: tensor(1, [5, width]), ids: given }, { paddingIndex: null }),
          ...runKernel(
            'OstinatoEmbeddingGrad',
            { ids: given, dOutput: tensor(2, [5, width]) },
            { vocabularySize: 6, paddingIndex: 1 },
          ),
        ];
      });
      const expected = on('cpu', () => {
        const hot = tf.cast(tf.oneHot(tf.tensor1d([3, 0, 3, 4, -1], 'int32'), 6), 'float32');
        const gathered = tf.gather(tensor(1, [5, width]), tf.tensor1d(ids, 'int32'));
        return [gathered, tf.matMul(hot, tensor(2, [5, width]) as tf.Tensor2D, true)];
      });
      expectClose([output!, dTable!], expected, { absolute: 1e-6 });
    }
  });

  it('refuses ids outside the table', () => {
    for (const id of [-1, 5]) {
      const inputs = () => ({ table: tf.zeros([5, 2]), ids: tf.tensor1d([0, id], 'int32') });
      expect(() => on('ostinato-cpu', () => runKernel('OstinatoEmbedding', inputs()))).toThrow(
        /ids must lie within 0 … 4/,
      );
    }
  });
});

describe('OstinatoOptimizerUpdate, …Step and …Norm', () => {
  const cases = fc.record({
    sizes: fc.array(fc.oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 500, max: 2100 })), {
      minLength: 1,
      maxLength: 4,
    }),
    first: fc.integer({ min: 0, max: optimizerRules.length - 1 }),
    around: fc.record({
      weightDecay: fc.constantFrom(0, 0.1),
      gradientDecay: fc.constantFrom(0, 0.2),
      limit: fc.constantFrom(Infinity, 0.7),
      scaled: fc.boolean(),
    }),
  });
  const tolerance = { absolute: 1e-5, relative: 1e-5 };

  it('match the equations of all rules', () => {
    fc.assert(
      fc.property(cases, ({ sizes, first, around }) => {
        const expected = sizes.map((size, index) => expectedStep(size, index, first, around));
        const shaped = (values: number[]) => ({ shape: [values.length], values });
        const updated = on('ostinato-cpu', () =>
          sizes.slice(0, 1).flatMap(() => {
            const { inputs, steps } = optimizerSteps(sizes.slice(0, 1), first, around);
            return runKernel('OstinatoOptimizerUpdate', inputs as never, { steps });
          }),
        );
        const [update, , ...slots] = expected[0]!;
        expectClose(updated, [update!, ...slots].map(shaped), tolerance);

        const stepped = on('ostinato-cpu', () => {
          const { inputs, steps } = optimizerSteps(sizes, first, around);
          return runKernel('OstinatoOptimizerStep', inputs as never, { steps });
        });
        expectClose(stepped, expected.flatMap(([, ...results]) => results).map(shaped), tolerance);

        const [norm] = on('ostinato-cpu', () => {
          const { inputs, steps } = optimizerSteps(sizes, first, around);
          return runKernel('OstinatoOptimizerNorm', inputs as never, { steps });
        });
        const length = Math.hypot(...expected.flatMap(([updates]) => updates!));
        expectClose([norm!], [{ shape: [], values: [length] }], { absolute: 1e-6, relative: 1e-4 });
      }),
      { numRuns: 150 },
    );
  });

  it('keep NaN and infinity visible', () => {
    for (let first = 0; first < optimizerRules.length; first++) {
      const [norm] = on('ostinato-cpu', () => {
        const around = { weightDecay: 0, gradientDecay: 0, limit: 5, scaled: false };
        const { inputs, steps } = optimizerSteps([40], first, around);
        const bad = tf.tensor1d(numbers(1, 40).map((x, i) => (i === 37 ? Number.NaN : x)));
        return runKernel('OstinatoOptimizerNorm', [bad, ...inputs.slice(1)] as never, { steps });
      });
      expect([optimizerRules[first]!.kind, norm!.values[0]]).toEqual([optimizerRules[first]!.kind, Number.NaN]);
    }
  });

  it('say so when a thread is lost while parameters are written over', () => {
    on('ostinato-cpu', () => {
      const { team } = tf.backend() as OstinatoCpuBackend;
      const { run } = team;
      const around = { weightDecay: 0, gradientDecay: 0, limit: Infinity, scaled: false };
      const { inputs, steps } = optimizerSteps([1000], 2, around);
      const step = () => runKernel('OstinatoOptimizerStep', inputs as never, { steps });
      const clones = inputs.map(input => tf.clone(input));
      team.run = () => {
        throw new ResourceError({ where: 'backend-cpu', rule: 'a thread was lost' });
      };
      try {
        expect(step).toThrow('backend-cpu: a thread was lost');
        tf.dispose(clones);
        expect(step).toThrow('a thread was lost while parameters were written over. They are of two steps now');
      } finally {
        team.run = run;
      }
      return step();
    });
  });

  it('OstinatoNorm is the length of all elements together', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 4 }), sizes => {
        const [norm] = on('ostinato-cpu', () =>
          runKernel('OstinatoNorm', sizes.map((size, index) => tensor(index, [size], 3)) as never),
        );
        const length = Math.hypot(...sizes.flatMap((size, index) => [...numbers(index, size, 3)]));
        expectClose([norm!], [{ shape: [], values: [length] }], { absolute: 0, relative: 1e-6 });
      }),
      { numRuns: 50 },
    );
  });
});

/** Threefry-2x32 with 20 rounds, from the paper's definition, one counter at a time. */
function threefry(key: [number, number], counter: [number, number]): [number, number] {
  const rotations = [13, 15, 26, 6, 17, 29, 16, 24];
  const keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd11bda];
  let [x, y] = [counter[0] + keys[0]!, counter[1] + keys[1]!];
  for (let round = 0; round < 20; round++) {
    x = (x + y) >>> 0;
    const by = rotations[round % 8]!;
    y = (((y << by) | (y >>> (32 - by))) ^ x) >>> 0;
    if (round % 4 === 3) {
      const block = round / 4 + 0.25;
      x = (x + keys[block % 3]!) >>> 0;
      y = (y + keys[(block + 1) % 3]! + block) >>> 0;
    }
  }
  return [x >>> 0, y >>> 0];
}

describe('OstinatoDropout', () => {
  it('draws the published Threefry numbers', () => {
    tf.setBackend('ostinato-cpu');
    const { kernels, kernelMemory } = tf.backend() as OstinatoCpuBackend;
    const address = kernelMemory.allocate(8);
    // Known answers distributed with Random123 (kat_vectors, threefry2x32 20).
    const answers = [
      [
        [0, 0],
        [0, 0],
        [0x6b200159, 0x99ba4efe],
      ],
      [
        [0xffffffff, 0xffffffff],
        [0xffffffff, 0xffffffff],
        [0x1cb996fc, 0xbb002be7],
      ],
      [
        [0x13198a2e, 0x03707344],
        [0x243f6a88, 0x85a308d3],
        [0xc4923a9c, 0x483df7a0],
      ],
    ] as [[number, number], [number, number], [number, number]][];
    for (const [key, counter, words] of answers) {
      kernels.random_words(...key, ...counter, address);
      expect(Array.from(new Uint32Array(kernelMemory.buffer, address, 2))).toEqual(words);
      expect(threefry(key, counter)).toEqual(words);
    }
    kernelMemory.release(address);
    tf.setBackend('cpu');
  });

  it('keeps element i when its uniform number reaches the rate', () => {
    for (const size of [1, 2, 7, 8, 9, 1001]) {
      for (const rate of [0, 0.1, 0.5, 0.9]) {
        const key: [number, number] = [123, 0xfedcba98];
        const input = numbers(1, size);
        const outputs = on('ostinato-cpu', () =>
          runKernel('OstinatoDropout', { input: tf.tensor1d(input) }, { rate, key }),
        );
        const values = Array.from(input, (x, i) => {
          const uniform = (threefry(key, [i >> 1, 0x80000000])[i & 1]! >>> 8) / 2 ** 24;
          return uniform >= rate ? x / (1 - rate) : 0;
        });
        expectClose(outputs, [{ shape: [size], values }], { absolute: 0, relative: 1e-6 });
      }
    }
  });

  it('does not round the rate: what float32 cannot tell apart is decided as the equation says', () => {
    const key: [number, number] = [5, 6];
    const words = Array.from({ length: 40 }, (_, i) => threefry(key, [i >> 1, 0x80000000])[i & 1]! >>> 8);
    for (const [i, word] of words.entries()) {
      const kept = [word / 2 ** 24, (word + 0.1) / 2 ** 24].map(rate => {
        const inputs = { input: tf.ones([words.length]) };
        return on('ostinato-cpu', () => runKernel('OstinatoDropout', inputs, { rate, key }))[0]!.values[i] !== 0;
      });
      expect(kept).toEqual([true, false]);
    }
  });
});
