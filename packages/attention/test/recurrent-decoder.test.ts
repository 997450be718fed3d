import { disposeState, parameters, Rng } from '@ostinato/core';
import { GRU, LSTM } from '@ostinato/recurrent';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { AdditiveAttention, AttentionDecoder, type MemoryAttention, MultiplicativeAttention } from '../src/index.ts';
import { checkParameters, expectClose, part, random } from './helpers.ts';

const [querySize, memorySize] = [4, 3];
const memory = tf.keep(random([2, 5, memorySize]));
const kinds: Record<string, () => MemoryAttention & (AdditiveAttention | MultiplicativeAttention)> = {
  additive: () => new AdditiveAttention({ querySize, memorySize, attentionSize: 6, rng: new Rng(3) }),
  dot: () => new MultiplicativeAttention({ querySize: 3, form: 'dot' }),
  general: () => new MultiplicativeAttention({ querySize, memorySize, outputSize: 5 }),
  concat: () => new MultiplicativeAttention({ querySize, memorySize, form: 'concat' }),
};

describe.each(Object.entries(kinds))('%s attention', (_name, create) => {
  const attention = create();
  const query = tf.keep(random([2, 2, attention.querySize], 2));

  it('has the gradients that finite differences have, and leaks nothing', () => {
    const both = (q: tf.Tensor, m: tf.Tensor): tf.Tensor[] => {
      const { context, weights } = attention.call(q, m, { lengths: [5, 2] });
      return [context, weights];
    };
    gradCheck(both as never, [query, memory], { elements: 6 });
    if (!(attention instanceof MultiplicativeAttention)) checkParameters(attention, () => both(query, memory));
    expectNoLeak(() => attention.call(query, memory));
  });

  it('sees no more of the memory than its length', () => {
    const { context, weights } = attention.call(query, memory, { lengths: [2, 2] });
    expectClose(context, attention.call(query, part(memory, 0, 2)).context);
    expect(tf.max(part(weights, 0, 2)).dataSync()[0]).toBeGreaterThan(0);
    expect(tf.sum(tf.slice(weights, [0, 0, 2], [2, 2, 3])).dataSync()[0]).toBe(0);
  });
});

const cells = {
  GRU: (inputSize: number) => new GRU({ inputSize, hiddenSize: querySize, rng: new Rng(5) }),
  LSTM: (inputSize: number) => new LSTM({ inputSize, hiddenSize: querySize, rng: new Rng(5) }),
};
const decoders = {
  'Bahdanau with a GRU': () => new AttentionDecoder({ inputSize: 2, attention: kinds['additive']!(), cell: cells.GRU }),
  'Luong with an LSTM': () => new AttentionDecoder({ inputSize: 2, attention: kinds['general']!(), cell: cells.LSTM }),
  'Luong without input feeding': () =>
    new AttentionDecoder({ inputSize: 2, attention: kinds['concat']!(), cell: cells.GRU, inputFeeding: false }),
};

describe.each(Object.entries(decoders))('AttentionDecoder, %s', (_name, create) => {
  const decoder = create() as unknown as AttentionDecoder;
  const input = tf.keep(random([2, 3, 2], 7));

  it('is its steps, one after the other', () => {
    const state = decoder.initialState(memory, { lengths: [5, 3] });
    const { output, weights } = decoder.call(input, state);
    expect(output.shape).toEqual([2, 3, decoder.outputSize]);
    expect(weights.shape).toEqual([2, 3, 5]);
    expectClose(tf.sum(weights, -1), tf.ones([2, 3]));
    let current = state;
    for (let t = 0; t < 3; t++) {
      const step = decoder.step(tf.squeeze(part(input, t, 1), [1]), current);
      expectClose(tf.expandDims(step.output, 1), part(output, t, 1));
      current = step.state;
    }
  });

  it('has the gradients that finite differences have', () => {
    const run = (): tf.Tensor[] => {
      const { output, weights } = decoder.call(input, decoder.initialState(memory));
      return [output, weights];
    };
    checkParameters(decoder, run);
    gradCheck(m => decoder.call(input, decoder.initialState(m)).output, [memory], { elements: 6 });
  });

  it('leaks nothing', () => {
    expectNoLeak(() => {
      const state = decoder.initialState(memory);
      const result = decoder.call(input, state);
      disposeState(state);
      return [result.output, result.weights, result.state.cell, result.state.feed];
    });
  });
});

describe('AttentionDecoder', () => {
  it('has readable paths, and starts from the state that it is given', () => {
    const decoder = decoders['Bahdanau with a GRU']();
    expect([...parameters(decoder).keys()].slice(0, 4)).toEqual(
      ['query.weight', 'key.weight', 'key.bias', 'score.weight'].map(name => `attention.${name}`),
    );
    expect([...parameters(decoder).keys()].at(-1)).toBe('cell.layers.0.forward.recurrentBias');
    const cell = [{ hidden: tf.ones([2, querySize]) }];
    const state = decoder.initialState(memory, { cell: cell as never });
    expect((state.cell as unknown as typeof cell)[0]!.hidden).toBe(cell[0]!.hidden);
    // Bahdanau: the state before the first step asks the first question.
    const { weights } = decoder.step(tf.zeros([2, 2]), state);
    const asked = decoder.attention.attend(tf.ones([2, 1, querySize]), state, { lengths: state.memoryLengths });
    expectClose(weights, tf.squeeze(asked.weights, [1]));
    expectClose(decoder.initialState(memory).feed, tf.zeros([2, querySize]));
    expectClose(decoder.initialState(memory, { feed: tf.ones([2, querySize]) }).feed, tf.ones([2, querySize]));
    expect(() => decoder.initialState(memory, { feed: tf.ones([2, 3]) })).toThrow(/feed must be \[batch, width\]/);
  });

  it('says what does not fit', () => {
    expect(() => new MultiplicativeAttention({ querySize, memorySize, form: 'dot' })).toThrow(
      "form 'dot' needs querySize = memorySize, got 4 and 3",
    );
    const decoder = decoders['Luong with an LSTM']();
    expect(() => decoder.initialState(tf.zeros([2, 5, 4]))).toThrow(
      'AttentionDecoder.initialState: memory must be [batch, source, memorySize], expected [?, ?, 3], got [2, 5, 4]',
    );
  });
});
