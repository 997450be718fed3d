// A transformer layer's step in one kernel against the same step in ops, and against the whole sequence at once.
import '@ostinato/backend-cpu';
import { TransformerEncoder } from '@ostinato/attention';
import { parameters, RMSNorm, Rng } from '@ostinato/core';
import { type ActivationName, transformerLayerStep } from '@ostinato/ops';
import { allClose, countKernels, expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { runs, size } from './compare.ts';

afterEach(() => tf.setBackend('cpu'));

const cases = fc.record({
  ...{ batch: size(3), heads: size(2), group: size(3), width: size(5), time: size(4), hidden: size(40) },
  ...{ preNorm: fc.boolean(), gated: fc.boolean(), bias: fc.boolean(), rms: fc.boolean(), ragged: fc.boolean() },
  activation: fc.constantFrom<ActivationName>('relu', 'gelu', 'gelu-tanh', 'silu'),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function encoderOf({ heads, group, width, hidden, rms, ...options }: Case): TransformerEncoder {
  const numHeads = heads * group;
  const { preNorm, gated, bias, activation } = options;
  const encoder = new TransformerEncoder({
    ...{ size: numHeads * width, numHeads, numKeyHeads: heads, numLayers: 2, feedForwardSize: hidden },
    ...{ preNorm, gated, bias, activation, rng: new Rng(5) },
    ...(rms ? { norm: (size: number) => new RMSNorm({ size }) } : {}),
  });
  const rng = new Rng(6);
  for (const [path, parameter] of parameters(encoder)) {
    if (!path.endsWith('gain')) continue;
    const gain = rng.split(path).uniform(parameter.shape, 0.5, 1.5);
    parameter.assign(gain);
    gain.dispose();
  }
  return encoder;
}

/** The outputs of single steps, behind so many that were read together. */
function stepped(encoder: TransformerEncoder, { batch, time, ragged }: Case): Float32Array[] {
  return tf.tidy(() => {
    const rng = new Rng(7);
    let cache = encoder.initialCache(batch, time + 4);
    if (ragged)
      cache = {
        ...cache,
        lengths: tf.tensor1d(
          Array.from({ length: batch }, (_, b) => b % 3),
          'int32',
        ),
      };
    return Array.from({ length: time }, (_, t) => {
      const result = encoder.step(rng.split(t).normal([batch, encoder.size]), cache);
      cache = result.cache;
      return result.output.dataSync().slice() as Float32Array;
    });
  });
}

describe('transformerLayerStep', () => {
  it('gives what its parts give, for every kind of layer', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async given => {
        await tf.setBackend('cpu');
        const encoder = encoderOf(given);
        const want = stepped(encoder, given);
        encoder.dispose();
        await tf.setBackend('ostinato-cpu');
        const fast = encoderOf(given);
        const got = stepped(fast, given);
        fast.dispose();
        want.forEach((values, t) => {
          expect(allClose(got[t]!, values, 2e-5)).toMatchObject({ close: true });
        });
      }),
      { ...runs, numRuns: 40 },
    );
  });

  it('is one kernel a layer, gives what the whole sequence gives, and leaks nothing', async () => {
    await tf.setBackend('ostinato-cpu');
    const encoder = new TransformerEncoder({ size: 96, numHeads: 4, numLayers: 3, preNorm: true, rng: new Rng(1) });
    const inputs = new Rng(2).normal([2, 6, 96]);
    const whole = tf.tidy(() => encoder.call(inputs, { causal: true }));
    const empty = encoder.initialCache(2, 6);
    const { names } = await countKernels(() => encoder.step(tf.zeros([2, 96]), empty));
    expect(names.filter(name => name === 'OstinatoTransformerLayerStep')).toHaveLength(3);
    expect(names.length).toBeLessThanOrEqual(6);
    expectNoLeak(() =>
      tf.tidy(() => {
        let cache = empty;
        for (let t = 0; t < 6; t++) {
          const { output, cache: next } = encoder.step(
            tf.reshape(tf.slice(inputs, [0, t, 0], [2, 1, 96]), [2, 96]),
            cache,
          );
          cache = next;
          const want = tf.reshape(tf.slice(whole, [0, t, 0], [2, 1, 96]), [2, 96]);
          expect(allClose(output, want, 1e-5)).toMatchObject({ close: true });
        }
      }),
    );
  });

  it('refuses what does not fit, and leaves the cache as it was', async () => {
    await tf.setBackend('ostinato-cpu');
    const encoder = new TransformerEncoder({ size: 4, numHeads: 2, numLayers: 1 });
    const cache = encoder.initialCache(1, 2);
    const full = { ...cache, lengths: tf.tensor1d([2], 'int32') };
    expect(() => encoder.step(tf.zeros([1, 4]), full)).toThrow('lengths must be in 0 … 1, got 2 at position 0');
    expect(() => encoder.step(tf.zeros([1, 5]), cache)).toThrow(
      'input must be [batch, size], expected [?, 4], got [1, 5]',
    );
    const layer = encoder.layers[0]!;
    const arguments_ = {
      ...{ input: tf.zeros([1, 4]), cache: cache.layers[0]!, lengths: cache.lengths, attentionNorm: {} },
      ...{ queryKeyValue: layer.attention.queryKeyValue, attentionOutput: layer.attention.output, feedForwardNorm: {} },
      ...{ hidden: layer.feedForward.hidden, output: layer.feedForward.hidden },
    };
    expect(() => transformerLayerStep(arguments_, { numHeads: 2 })).toThrow('transformerLayerStep: output.weight');
    expect(() => transformerLayerStep(arguments_, { numHeads: 2, activation: 'mish' as never })).toThrow('activation');
    expect(cache.layers[0]!.key.dataSync().every(value => value === 0)).toBe(true);
  });
});
