import { ArgumentError, disposeState, parameters, Rng } from '@ostinato/core';
import {
  architectures,
  createLanguageModel,
  decodeLanguageModel,
  encodeLanguageModel,
  evaluate,
  generateText,
  KneserNey,
  TransformerLanguageModel,
} from '@ostinato/tasks/language-modeling';
import { expectNoLeak } from '@ostinato/testing';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

const sizes = { vocabularySize: 5, contextLength: 6, hiddenSize: 8, numLayers: 2, numHeads: 2 };
const build = (seed = 3): TransformerLanguageModel =>
  new TransformerLanguageModel({ architecture: 'gpt', ...sizes, rng: new Rng(seed) });
const text = Int32Array.from({ length: 41 }, (_, i) => (i * i + 3) % 5);

/** −ln p of token `at` of the text, read from `from` on. */
function lossAt(model: TransformerLanguageModel, from: number, at: number): number {
  return tf.tidy(() => {
    const ids = tf.tensor2d(text.slice(from, at), [1, at - from], 'int32');
    const logits = tf.slice(model.call(ids).logits, [0, at - from - 1, 0], [1, 1, -1]);
    return -tf.logSoftmax(logits).dataSync()[text[at]!]!;
  });
}

describe('TransformerLanguageModel', () => {
  it('has the defaults of nanoGPT on a CPU', () => {
    const model = createLanguageModel({ architecture: 'gpt', vocabularySize: 65 });
    expect(model.config).toEqual({
      ...{ architecture: 'gpt', vocabularySize: 65, contextLength: 64, hiddenSize: 128, numLayers: 4, numHeads: 4 },
      ...{ dropout: 0, bias: false, tied: true },
    });
    model.dispose();
    expect(() => build().call(tf.zeros([1, 7], 'int32'))).toThrow(/time must be .* ≤ 6, got 7/);
    expect(() => createLanguageModel({ architecture: 'gpt', vocabularySize: 5, numHeads: 3 })).toThrow(
      /divisible by numHeads/,
    );
    expect(() => createLanguageModel({ architecture: 'gpt', vocabularySize: 5, contextLength: 1 })).toThrow(
      ArgumentError,
    );
    const expected = architectures.slice(0, 3).map(name => `'${name}'`);
    expect(() => createLanguageModel({ architecture: 'mlp' as 'rnn', vocabularySize: 5 })).toThrow(
      expected.join(' | '),
    );
  });

  it('steps as it reads, and on with the newer half of a full context', () => {
    const model = build();
    const logitsOf = (from: number, to: number): number[] =>
      tf.tidy(() => {
        const ids = tf.tensor2d(text.slice(from, to), [1, to - from], 'int32');
        return [...tf.slice(model.call(ids).logits, [0, to - from - 1, 0], [1, 1, -1]).dataSync()];
      });
    let state = model.initialState(1);
    let from = 0;
    for (let t = 0; t < 20; t++) {
      const id = tf.tensor1d([text[t]!], 'int32');
      const result = model.step(id, state);
      if (t - from === 6) from = t - 2; // 6 tokens are read; of 7 the newest 3 stay
      const expected = logitsOf(from, t + 1);
      for (const [i, logit] of result.logits.dataSync().entries()) expect(logit).toBeCloseTo(expected[i]!, 5);
      disposeState(state);
      tf.dispose([id, result.logits]);
      state = result.state;
    }
    const id = tf.tensor1d([1], 'int32');
    expectNoLeak(() => model.step(id, state));
    disposeState(state);
    id.dispose();
    model.dispose();
  });

  it('writes beyond its context, rows as alone, the same after saving', async () => {
    const tokenizer = CharacterTokenizer.train('abcde');
    const model = build();
    const before = tf.memory().numTensors;
    const write = async (one: typeof model, prompts: string[]): Promise<string[]> => {
      const texts = prompts.map(() => '');
      const options = { tokenizer, prompts, maximumTokens: 20, temperature: 0 };
      for await (const piece of generateText({ model: one, ...options })) texts[piece.row] += piece.text;
      return texts;
    };
    const texts = await write(model, ['a', 'bcdeabcd']);
    expect(texts.map(each => each.length)).toEqual([20, 20]);
    expect(await write(model, ['a'])).toEqual([texts[0]]);
    expect(tf.memory().numTensors).toBe(before);
    const loaded = decodeLanguageModel(await encodeLanguageModel({ model, tokenizer }));
    expect(loaded.model).toBeInstanceOf(TransformerLanguageModel);
    expect([...parameters(loaded.model).keys()]).toEqual([...parameters(model).keys()]);
    expect(await write(loaded.model as typeof model, ['a'])).toEqual([texts[0]]);
    loaded.model.dispose();
    model.dispose();
  });

  it.each([1, 2, 4, 5, 6, undefined])('is evaluated with windows %s apart, each token once', async stride => {
    const model = build();
    const step = stride ?? 6;
    for (const length of [2, 5, 7, 8, 41]) {
      let sum = 0;
      for (let at = 1; at < length; at++) {
        const window = Math.max(0, Math.ceil((at - 6) / step)); // the first that has this token among its targets
        const start = Math.min(window * step, Math.max(0, length - 1 - 6));
        sum += lossAt(model, start, at);
      }
      const { nats, tokens } = await evaluate(model, text.subarray(0, length), { stride });
      expect(tokens).toBe(length - 1);
      expect(nats).toBeCloseTo(sum / (length - 1), 5);
    }
    await expect(evaluate(model, text, { stride: 7 })).rejects.toThrow(/stride must be/);
    model.dispose();
  });

  it('reads files from before they said architecture', async () => {
    const tokenizer = CharacterTokenizer.train('abcde');
    const model = createLanguageModel({ vocabularySize: 5, embeddingSize: 2, hiddenSize: 3, architecture: 'gru' });
    const bytes = await encodeLanguageModel({ model, tokenizer });
    const [now, then] = ['architecture', 'cell        '].map(name =>
      JSON.stringify(`"${name.trim()}":"gru"`).slice(1, -1),
    );
    const old = Buffer.from(bytes).toString('latin1').replace(now!, `${then}        `);
    const loaded = decodeLanguageModel(Buffer.from(old, 'latin1'));
    expect(loaded.model.config).toEqual(model.config);
    loaded.model.dispose();
    model.dispose();
  });
});

describe('KneserNey', () => {
  // a b a b a c: bigrams ab ×2, ba ×2, ac ×1, so D = 1/(1 + 2·2) = 0.2. Each of a, b, c follows one token, so D = 1 and p = 1/3.
  const tokens = Int32Array.of(0, 1, 0, 1, 0, 2);

  it('is what the equations give', () => {
    const model = new KneserNey({ tokens, vocabularySize: 3, order: 2 });
    expect(model.probability(1, [0])).toBeCloseTo((2 - 0.2 + 0.2 * 2 * (1 / 3)) / 3, 12);
    expect(model.probability(2, [0])).toBeCloseTo((1 - 0.2 + 0.2 * 2 * (1 / 3)) / 3, 12);
    expect(model.probability(0, [1])).toBeCloseTo((2 - 0.2 + 0.2 * (1 / 3)) / 2, 12);
    expect(model.probability(0, [2])).toBeCloseTo(1 / 3, 12); // nothing was seen behind c
    const { nats, perplexity, tokens: count } = model.evaluate(Int32Array.of(2, 0, 1));
    expect(nats).toBeCloseTo(-(Math.log(1 / 3) + Math.log(model.probability(1, [0]))) / 2, 12);
    expect([perplexity, count]).toEqual([Math.exp(nats), 2]);
  });

  it('counts for shorter n-grams what stood in front', () => {
    // x y x y x y z w z: y follows only x, z follows y and w.
    const frequent = Int32Array.of(0, 1, 0, 1, 0, 1, 2, 3, 2);
    const model = new KneserNey({ tokens: frequent, vocabularySize: 4, order: 2 });
    // xy, yx, yz, zw, wz: x, y, w follow one token each, z two; D = 3/(3 + 2·1) = 0.6, 4 kinds, 5 in all.
    const unigram = (count: number): number => (count - 0.6 + (0.6 * 4) / 4) / 5;
    expect(model.probability(1, [])).toBeCloseTo(unigram(1), 12);
    expect(model.probability(2, [])).toBeCloseTo(unigram(2), 12);
  });

  it('is a distribution behind every context, whatever the order', () => {
    const rng = new Rng(1);
    const random = Int32Array.from({ length: 200 }, () => rng.integer(4));
    for (const order of [1, 2, 3, 5]) {
      const model = new KneserNey({ tokens: random, vocabularySize: 6, order });
      for (const context of [[], [5], [0], [1, 2], [0, 1, 2, 3, 0, 1], [4, 1, 1]]) {
        const sum = [0, 1, 2, 3, 4, 5].reduce((total, token) => total + model.probability(token, context), 0);
        expect(sum).toBeCloseTo(1, 10);
        expect(model.probability(5, context)).toBeGreaterThan(0);
      }
    }
  });

  it('says what is wrong', () => {
    expect(() => new KneserNey({ tokens, vocabularySize: 2 })).toThrow('expected 0 … 1, got 2 at 5');
    expect(() => new KneserNey({ tokens: tokens.subarray(0, 4), vocabularySize: 3 })).toThrow(
      /number of tokens must be .* ≥ 5/,
    );
    expect(() => new KneserNey({ tokens, vocabularySize: 3 }).evaluate(Int32Array.of(1))).toThrow(/≥ 2/);
  });
});
