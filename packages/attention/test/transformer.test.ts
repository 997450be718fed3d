import { disposeState, parameters, RMSNorm, Rng } from '@ostinato/core';
import { silu } from '@ostinato/ops';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  FeedForward,
  Transformer,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
} from '../src/index.ts';
import { checkParameters, expectClose, part, random } from './helpers.ts';

const shared = { size: 8, numHeads: 2, feedForwardSize: 12, activation: tf.tanh };
const [source, target] = [random([2, 4, 8], 1), random([2, 5, 8], 2)].map(tf.keep) as [tf.Tensor, tf.Tensor];
const kinds = {
  'post-norm': {},
  'pre-norm': { preNorm: true },
  'as Llama': {
    ...{ preNorm: true, gated: true, activation: silu, numKeyHeads: 1, bias: false, rotary: {}, queryKeyNorm: true },
    norm: (size: number) => new RMSNorm({ size }),
  },
};

describe.each(Object.entries(kinds))('%s layers', (_name, options) => {
  const all = { ...shared, ...options, rng: new Rng(1) };

  it('have the gradients that finite differences have', () => {
    const encoder = new TransformerEncoderLayer(all);
    gradCheck(x => encoder.call(x, { keyLengths: [4, 2] }), [source], { elements: 4 });
    checkParameters(encoder, () => encoder.call(source));
    const decoder = new TransformerDecoderLayer({ ...all, memorySize: 3 });
    const memory = random([2, 3, 3], 4);
    gradCheck((input, m) => decoder.call({ input: input!, memory: m! }), [target, memory], { elements: 4 });
    checkParameters(decoder, () => decoder.call({ input: target, memory }));
  });

  it('go on step by step as they do at once', () => {
    const stack = new TransformerEncoder({ ...all, numLayers: 2 });
    const whole = stack.call(target, { causal: true });
    let cache = stack.initialCache(2, 5);
    for (let t = 0; t < 5; t++) {
      const step = stack.step(part(target, t, 1), cache);
      expectClose(step.output, part(whole, t, 1));
      cache = step.cache;
    }
    const decoder = new TransformerDecoder({ ...all, numLayers: 2 });
    const known = decoder.call({ input: target, memory: source }, { memoryMask: { keyLengths: [4, 2] } });
    const options = { memoryMask: { keyLengths: [4, 2] }, causal: undefined };
    expectClose(decoder.call({ input: target, memory: source }, options), known);
    let state = decoder.initialCache(source, { maximumTime: 5, memoryLengths: [4, 2] });
    for (const [from, count] of [
      [0, 3],
      [3, 1],
      [4, 1],
    ] as const) {
      const step = decoder.step(part(target, from, count), state);
      expectClose(step.output, part(known, from, count));
      state = step.cache;
    }
  });

  it('return their weights on demand', () => {
    const encoder = new TransformerEncoder({ ...all, numLayers: 2 });
    const encoded = encoder.withWeights(source);
    expectClose(encoded.output, encoder.call(source));
    expect(encoded.weights.map(({ shape }) => shape)).toEqual([
      [2, 2, 4, 4],
      [2, 2, 4, 4],
    ]);
    const decoder = new TransformerDecoder({ ...all, numLayers: 1 });
    const { output, memoryWeights } = decoder.withWeights({ input: target, memory: source });
    expectClose(output, decoder.call({ input: target, memory: source }));
    expect(memoryWeights[0]!.shape).toEqual([2, 2, 5, 4]);
  });

  it('leak nothing', () => {
    const model = new Transformer({ ...all, encoderLayers: 1, decoderLayers: 1, dropout: 0.1 });
    expectNoLeak(() => model.call({ source, target }, { training: true, rng: new Rng(1) }));
    expectNoLeak(() => model.withWeights({ source, target }));
    const first = part(target, 0, 1);
    expectNoLeak(() => {
      const state = model.decoder.initialCache(source, { maximumTime: 2 });
      const { output, cache } = model.decoder.step(first, state);
      disposeState(state);
      return [output, cache.lengths, cache.layers.map(layer => layer.self)];
    });
  });
});

describe('Transformer', () => {
  it('does not see beyond lengths, nor the future of the target', () => {
    const model = new Transformer({ ...shared, encoderLayers: 1, decoderLayers: 2 });
    const options = { sourceLengths: [2, 2] };
    const short = model.call({ source: part(source, 0, 2), target: part(target, 0, 3) });
    expectClose(part(model.call({ source, target }, options), 0, 3), short);
  });

  it('drops by the rng, differently in every place', () => {
    const model = new Transformer({ ...shared, encoderLayers: 1, decoderLayers: 1, dropout: 0.3 });
    const call = (seed: number): tf.Tensor => model.call({ source, target }, { training: true, rng: new Rng(seed) });
    expectClose(call(1), call(1));
    expect(tf.max(tf.abs(tf.sub(call(1), call(2)))).dataSync()[0]).toBeGreaterThan(0.01);
    expect(() => model.call({ source, target }, { training: true })).toThrow('encoder.layers.0.attention');
  });

  it('has readable paths, and layers that start differently', () => {
    const model = new Transformer({ ...shared, encoderLayers: 2, decoderLayers: 1 });
    const own = parameters(model);
    expect([...own.keys()].filter(path => path.startsWith('decoder.layers.0'))).toEqual(
      [
        ...[
          'attentionNorm.gain',
          'attentionNorm.bias',
          'attention.queryKeyValue.weight',
          'attention.queryKeyValue.bias',
        ],
        ...['attention.output.weight', 'attention.output.bias', 'memoryNorm.gain', 'memoryNorm.bias'],
        ...['query', 'key', 'value', 'output'].flatMap(name => [
          `memoryAttention.${name}.weight`,
          `memoryAttention.${name}.bias`,
        ]),
        ...['feedForwardNorm.gain', 'feedForwardNorm.bias', 'feedForward.hidden.weight', 'feedForward.hidden.bias'],
        ...['feedForward.output.weight', 'feedForward.output.bias'],
      ].map(name => `decoder.layers.0.${name}`),
    );
    const [first, second] = [0, 1].map(i => own.get(`encoder.layers.${i}.feedForward.hidden.weight`)!.dataSync());
    expect(first).not.toEqual(second);
  });
});

describe('FeedForward', () => {
  it('has the gradients that finite differences have', () => {
    const layer = new FeedForward({ size: 3, hiddenSize: 5, activation: silu, gated: true });
    checkParameters(layer, () => layer.call(random([2, 3])));
    expect(() => new FeedForward({ size: 3, dropout: 1 })).toThrow(
      'Dropout: rate must be a finite number ≥ 0 < 1, got 1.',
    );
  });
});
