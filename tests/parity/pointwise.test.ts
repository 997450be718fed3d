import { Rng } from '@ostinato/core';
import {
  dropout,
  embeddingLookup,
  gelu,
  layerNorm,
  optimizerUpdate,
  rmsNorm,
  silu,
  softmaxCrossEntropy,
} from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { expectParity, runs, seed, size } from './compare.ts';

describe('kernels agree with the reference', () => {
  it('softmaxCrossEntropy', async () => {
    const cases = fc.record({
      rows: size(9),
      classes: size(37),
      seed,
      deviation: fc.constantFrom(0.5, 3, 40),
      labelSmoothing: fc.constantFrom(0, 0.1),
      ignored: fc.constantFrom('none', 'some', 'all'),
      weighted: fc.boolean(),
      reduction: fc.constantFrom('mean' as const, 'sum' as const, 'none' as const),
    });
    await fc.assert(
      fc.asyncProperty(cases, ({ rows, classes, ignored, weighted, labelSmoothing, reduction, ...given }) =>
        expectParity({
          kernels: ['OstinatoSoftmaxCrossEntropy', 'OstinatoSoftmaxCrossEntropyGrad'],
          ...given,
          shapes: { logits: [rows, classes] },
          outputs: ({ logits }) => {
            const rng = new Rng(given.seed);
            const labels = Array.from({ length: rows }, (_, row) =>
              ignored === 'all' || (ignored === 'some' && row % 2 === 0) ? -100 : rng.integer(classes),
            );
            const classWeights = weighted ? rng.uniform([classes], 0.1, 2) : undefined;
            const options = { labelSmoothing, reduction, ...(ignored === 'none' ? {} : { ignoreIndex: -100 }) };
            return [
              softmaxCrossEntropy({ logits: logits!, labels: tf.tensor1d(labels, 'int32'), classWeights }, options),
            ];
          },
        }),
      ),
      runs,
    );
  });

  it('embeddingLookup', async () => {
    const cases = fc.record({ rows: size(20), vocabulary: size(9), width: size(11), seed, padded: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(cases, ({ rows, vocabulary, width, seed: drawn, padded }) =>
        expectParity({
          kernels: ['OstinatoEmbedding', 'OstinatoEmbeddingGrad'],
          seed: drawn,
          shapes: { table: [vocabulary, width] },
          outputs: ({ table }) => {
            const rng = new Rng(drawn);
            const ids = Array.from({ length: rows }, () => rng.integer(vocabulary));
            const options = padded ? { paddingIndex: vocabulary - 1 } : {};
            return [embeddingLookup({ table: table!, ids: tf.tensor1d(ids, 'int32') }, options)];
          },
        }),
      ),
      runs,
    );
  });

  const rows = { shape: fc.array(size(6), { minLength: 1, maxLength: 3 }), width: size(35), seed };

  it('layerNorm', async () => {
    const cases = fc.record({ ...rows, gain: fc.boolean(), bias: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(cases, ({ shape, width, seed: drawn, gain, bias }) =>
        expectParity({
          kernels: ['OstinatoLayerNorm', 'OstinatoLayerNormGrad'],
          seed: drawn,
          shapes: {
            input: [...shape, width],
            ...(gain ? { gain: [width] } : {}),
            ...(bias ? { bias: [width] } : {}),
          },
          // With the default ε, float32 leaves fewer digits than are compared where a row is nearly constant.
          outputs: inputs => [
            layerNorm({ input: inputs['input']!, gain: inputs['gain'], bias: inputs['bias'] }, { epsilon: 1e-2 }),
          ],
        }),
      ),
      runs,
    );
  });

  it('rmsNorm', async () => {
    const cases = fc.record({ ...rows, gain: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(cases, ({ shape, width, seed: drawn, gain }) =>
        expectParity({
          kernels: ['OstinatoRmsNorm', 'OstinatoRmsNormGrad'],
          seed: drawn,
          shapes: { input: [...shape, width], ...(gain ? { gain: [width] } : {}) },
          outputs: inputs => [rmsNorm({ input: inputs['input']!, gain: inputs['gain'] }, { epsilon: 1e-2 })],
        }),
      ),
      runs,
    );
  });

  it('gelu', async () => {
    const cases = fc.record({ ...rows, approximate: fc.constantFrom('none' as const, 'tanh' as const) });
    await fc.assert(
      fc.asyncProperty(cases, ({ shape, width, seed: drawn, approximate }) =>
        expectParity({
          kernels: ['OstinatoGelu', 'OstinatoGeluGrad'],
          seed: drawn,
          shapes: { input: [...shape, width] },
          deviation: 2,
          outputs: ({ input }) => [gelu(input!, { approximate })],
        }),
      ),
      runs,
    );
  });

  it('silu', async () => {
    await fc.assert(
      fc.asyncProperty(fc.record(rows), ({ shape, width, seed: drawn }) =>
        expectParity({
          kernels: ['OstinatoSilu', 'OstinatoSiluGrad'],
          seed: drawn,
          shapes: { input: [...shape, width] },
          deviation: 2,
          outputs: ({ input }) => [silu(input!)],
        }),
      ),
      runs,
    );
  });

  it('dropout', async () => {
    const cases = fc.record({ ...rows, rate: fc.constantFrom(0.1, 0.5, 0.9) });
    await fc.assert(
      fc.asyncProperty(cases, ({ shape, width, seed: drawn, rate }) =>
        expectParity({
          kernels: ['OstinatoDropout'],
          seed: drawn,
          shapes: { input: [...shape, width] },
          outputs: ({ input }) => [dropout(input!, { rate, key: new Rng(drawn).split('dropout').key })],
        }),
      ),
      runs,
    );
  });

  it('optimizerUpdate', async () => {
    const cases = fc.record({ ...rows, weightDecay: fc.constantFrom(0, 0.01) });
    await fc.assert(
      fc.asyncProperty(cases, ({ shape, seed: drawn, weightDecay }) =>
        expectParity({
          kernels: ['OstinatoOptimizerUpdate'],
          seed: drawn,
          shapes: { gradient: shape, firstMoment: shape, root: shape, parameter: shape },
          gradients: false,
          outputs: ({ gradient, firstMoment, root, parameter }) => {
            const { update, slots } = optimizerUpdate({
              gradient: gradient!,
              parameter: parameter!,
              slots: { firstMoment: firstMoment!, secondMoment: tf.square(root!) },
              rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-3, momentFactor: 2.5, squareFactor: 10 },
              learningRate: 0.1,
              weightDecay,
            });
            return [update, slots['firstMoment']!, slots['secondMoment']!];
          },
        }),
      ),
      runs,
    );
  });
});
