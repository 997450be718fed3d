import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ArgumentError,
  disposeState,
  FormatError,
  NonFiniteError,
  parameters,
  Rng,
  ShapeError,
  valueAndGrad,
} from '@ostinato/core';
import { LSTM, RNN } from '@ostinato/recurrent';
import {
  type AnyLanguageModel,
  type CellName,
  cellNames,
  decodeLanguageModel,
  describeLanguageModel,
  encodeLanguageModel,
  evaluate,
  generateText,
  LanguageModel,
  trainLanguageModel,
} from '@ostinato/tasks/language-modeling';
import { loadLanguageModel, saveLanguageModel } from '@ostinato/tasks/language-modeling/node';
import { expectNoLeak } from '@ostinato/testing';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import { crossEntropy } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';

const sizes = { vocabularySize: 5, embeddingSize: 4, hiddenSize: 6 };
const ids = (rows: number[][]): tf.Tensor => tf.tensor2d(rows, undefined, 'int32');
const folder = mkdtempSync(join(tmpdir(), 'ostinato-language-model-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('LanguageModel', () => {
  it('is a tree of embedding, recurrent layers and output', () => {
    const model = new LanguageModel({ ...sizes, numLayers: 2 });
    expect([...parameters(model).keys()]).toEqual([
      'embedding.table',
      ...[0, 1].flatMap(layer =>
        ['inputWeight', 'recurrentWeight', 'bias'].map(name => `recurrent.layers.${layer}.forward.${name}`),
      ),
      'output.weight',
      'output.bias',
    ]);
    expect(JSON.parse(JSON.stringify(model.config))).toEqual({
      ...sizes,
      architecture: 'lstm',
      numLayers: 2,
      dropout: 0,
      tied: false,
    });
    model.dispose();
  });

  it.each(cellNames)('%s: steps give what a call gives, and state is carried', (architecture: CellName) => {
    const model = new LanguageModel({ ...sizes, architecture, rng: new Rng(3) });
    tf.tidy(() => {
      const rows = ids([
        [1, 2, 3, 4],
        [0, 4, 2, 2],
      ]);
      const whole = model.call(rows);
      const begin = model.call(tf.slice(rows, [0, 0], [2, 2]));
      const third = model.step(tf.tensor1d([3, 2], 'int32'), begin.state);
      const fourth = model.step(tf.tensor1d([4, 2], 'int32'), third.state);
      const stepped = tf.stack([third.logits, fourth.logits], 1); // [2, 2, V]
      const difference = tf.max(tf.abs(tf.sub(stepped, tf.slice(whole.logits, [0, 2], [2, 2])))).arraySync() as number;
      expect(difference).toBeLessThan(1e-5);
    });
    const input = ids([[1, 2, 3]]);
    const state = model.initialState(1);
    const token = tf.tensor1d([1], 'int32');
    expectNoLeak(() => model.call(input, { state, training: true, rng: new Rng(1) }));
    expectNoLeak(() => model.step(token, state));
    tf.dispose([input, token]);
    disposeState(state);
    model.dispose();
  });

  it('shares its table with the output when tied', () => {
    const model = new LanguageModel({ vocabularySize: 5, embeddingSize: 6, hiddenSize: 6, tied: true });
    expect([...parameters(model).keys()]).not.toContain('output.weight');
    const { value, gradients } = valueAndGrad(parameters(model), () => {
      const { logits } = model.call(ids([[1, 2, 3]]));
      return { loss: crossEntropy({ logits, labels: ids([[2, 3, 4]]) }) };
    });
    const rows = gradients.get('embedding.table')!.arraySync() as number[][];
    expect(rows[0]!.some(x => x !== 0)).toBe(true); // token 0 is in no input: this gradient comes through the output
    tf.dispose([value, ...gradients.values()]);
    model.dispose();
    expect(() => new LanguageModel({ ...sizes, tied: true })).toThrow(ArgumentError);
  });

  it('takes a layer of your own', () => {
    const recurrent = new LSTM({ inputSize: 4, hiddenSize: 8, projectionSize: 3 });
    const model = new LanguageModel({ vocabularySize: 5, embeddingSize: 4, recurrent });
    expect(model.config.hiddenSize).toBe(3);
    const { logits, state } = model.call(ids([[1, 2]]));
    expect(logits.shape).toEqual([1, 2, 5]);
    logits.dispose();
    disposeState(state);
    expect(() => new LanguageModel({ vocabularySize: 5, embeddingSize: 7, recurrent })).toThrow(
      /inputSize = embeddingSize/,
    );
    model.dispose();
  });

  it('says what is wrong', () => {
    expect(() => new LanguageModel({ ...sizes, architecture: 'elman' as 'rnn' })).toThrow(
      "LanguageModel: unknown architecture, expected 'lstm' | 'gru' | 'rnn', got 'elman'.",
    );
    expect(() => new LanguageModel({ ...sizes, hiddenSize: 0 })).toThrow(ArgumentError);
    const model = new LanguageModel(sizes);
    expect(() => model.call(tf.tensor1d([1, 2], 'int32'))).toThrow(ShapeError);
    expect(() => model.call(tf.tensor2d([[1, 2]]))).toThrow(/int32/);
    model.dispose();
  });
});

describe('evaluate', () => {
  const text = Int32Array.from({ length: 101 }, (_, i) => (i * i + 3) % 5);

  it('is the mean of −ln p over the text, whatever the window', async () => {
    const model = new LanguageModel({ ...sizes, rng: new Rng(5) });
    const before = tf.memory().numTensors;
    const whole = await evaluate(model, text, { windowLength: 1000 });
    const input = ids([[...text.subarray(0, 100)]]);
    const { logits, state } = model.call(input);
    const probabilities = tf.tidy(() => tf.logSoftmax(logits).arraySync() as number[][][])[0]!;
    const expected = -probabilities.reduce((sum, row, t) => sum + row[text[t + 1]!]!, 0) / 100;
    expect(whole.nats).toBeCloseTo(expected, 5);
    expect(whole.tokens).toBe(100);
    expect(whole.perplexity).toBeCloseTo(Math.exp(expected), 4);
    expect(whole).not.toHaveProperty('bitsPerCharacter'); // tokens need not be characters
    expect((await evaluate(model, text, { characters: 100 })).bitsPerCharacter).toBeCloseTo(expected / Math.LN2, 5);
    expect((await evaluate(model, text, { windowLength: 7 })).nats).toBeCloseTo(expected, 5);
    expect((await evaluate(model, text, { characters: 200 })).bitsPerCharacter).toBeCloseTo(expected / Math.LN2 / 2, 5);
    // Seven streams of 15 with a shorter last one: the same tokens, other states at the seams.
    expect(Math.abs((await evaluate(model, text, { streams: 7 })).nats - expected)).toBeLessThan(0.1);
    tf.dispose([input, logits]);
    disposeState(state);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('reads streams of uneven length to the end of the text, and not beyond', async () => {
    const model = new LanguageModel({ ...sizes, rng: new Rng(5) });
    const short = text.subarray(0, 12); // 11 predictions, of which streams of 3, 3, 3 and 2
    let sum = 0;
    for (const start of [0, 3, 6, 9]) {
      const { nats, tokens } = await evaluate(model, short.subarray(start, start + 4));
      sum += nats * tokens;
    }
    for (const windowLength of [1, 2, 200]) {
      const { nats, tokens } = await evaluate(model, short, { streams: 4, windowLength });
      expect(tokens).toBe(11);
      expect(nats).toBeCloseTo(sum / 11, 5);
    }
    model.dispose();
  });

  it('stops when asked to, refuses what has no loss, and leaves nothing behind', async () => {
    const model = new LanguageModel(sizes);
    const before = tf.memory().numTensors;
    await expect(evaluate(model, text, { signal: AbortSignal.abort() })).rejects.toThrow();
    await expect(evaluate(model, text.subarray(0, 1))).rejects.toThrow(/at least 2 tokens/);
    const notNumbers = tf.fill(model.embedding.table.shape, Number.NaN);
    model.embedding.table.assign(notNumbers);
    notNumbers.dispose();
    await expect(evaluate(model, text)).rejects.toThrow(NonFiniteError);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});

describe('files and text', () => {
  const tokenizer = CharacterTokenizer.train('abcde');
  const build = (): LanguageModel => new LanguageModel({ ...sizes, rng: new Rng(9) });

  it('come back as they were, in float32 and rounded in half precision', async () => {
    const model = build();
    for (const dtype of ['F32', 'F16'] as const) {
      const path = join(folder, `${dtype}.safetensors`);
      await saveLanguageModel(path, { model, tokenizer, details: { by: 'test' }, dtype });
      const loaded = await loadLanguageModel(path);
      expect(loaded.details).toEqual({ by: 'test' });
      expect(loaded.checkpoint).toBeNull();
      expect(loaded.tokenizer.decode(loaded.tokenizer.encode('cab'))).toBe('cab');
      for (const [name, variable] of parameters(model)) {
        const got = parameters(loaded.model).get(name)!.dataSync();
        const digits = dtype === 'F32' ? 12 : 2;
        for (const [i, value] of variable.dataSync().entries()) expect(got[i]).toBeCloseTo(value, digits);
      }
      loaded.model.dispose();
    }
    model.dispose();
  });

  it('never lose a recurrent layer of their own', async () => {
    const own = (): RNN => new RNN({ inputSize: 4, hiddenSize: 6, activation: 'relu' });
    const model = new LanguageModel({ vocabularySize: 5, embeddingSize: 4, recurrent: own(), architecture: 'rnn' });
    const bytes = await encodeLanguageModel({ model, tokenizer });
    const before = tf.memory().numTensors;
    expect(() => decodeLanguageModel(bytes)).toThrow(/layer of its own.*Pass \{ recurrent: … \}/);
    expect(tf.memory().numTensors).toBe(before);
    const loaded = decodeLanguageModel(bytes, { recurrent: own() });
    const input = ids([[1, 2, 3]]);
    const logits = (each: AnyLanguageModel): Float32Array => each.call(input).logits.dataSync() as Float32Array;
    expect(logits(loaded.model)).toEqual(logits(model));

    const recurrent = own();
    const plain = await encodeLanguageModel({ model: build(), tokenizer });
    expect(() => decodeLanguageModel(plain, { recurrent })).toThrow(/rebuilt from the configuration/);
    const path = join(folder, 'own.safetensors');
    await saveLanguageModel(path, { model, tokenizer });
    await expect(loadLanguageModel(path)).rejects.toThrow(/layer of its own/);
    expect(await loadLanguageModel(path, { recurrent })).toMatchObject({ model: { recurrent } });
    const larger = new RNN({ inputSize: 4, hiddenSize: 7 });
    expect(() => decodeLanguageModel(bytes, { recurrent: larger })).toThrow(ShapeError);
    expect(parameters(larger).get('layers.0.forward.bias')!.isDisposed).toBe(false);
    const description = { ...describeLanguageModel({ model, tokenizer }), ownRecurrent: false };
    const training = trainLanguageModel({ model, tokens: new Int32Array(200), steps: 1, description });
    await expect(training.next()).rejects.toThrow('expected ownRecurrent: true, got false.');
  });

  it('are refused when damaged, and nothing is left behind', async () => {
    const model = build();
    const bytes = await encodeLanguageModel({ model, tokenizer });
    const before = tf.memory().numTensors;
    expect(() => decodeLanguageModel(bytes.subarray(0, bytes.length - 4))).toThrow(FormatError);
    expect(() => decodeLanguageModel(new Uint8Array(100))).toThrow(FormatError);
    const other = await encodeLanguageModel({ model, tokenizer: CharacterTokenizer.train('abc') });
    expect(() => decodeLanguageModel(other)).toThrow(/vocabulary/);
    const path = join(folder, 'damaged.safetensors');
    writeFileSync(path, bytes.subarray(0, 50));
    await expect(loadLanguageModel(path)).rejects.toThrow(/damaged\.safetensors/);
    const missing = loadLanguageModel(join(folder, 'nowhere.safetensors'));
    await expect(missing).rejects.toThrow(/loadLanguageModel: the file cannot be read, got '.*nowhere.*no such file/);
    expect(tf.memory().numTensors).toBe(before);
    expect(readFileSync(path)).toHaveLength(50);
    model.dispose();
  });

  it('wants an array of prompts', async () => {
    const model = build();
    const pieces = generateText({ model, tokenizer, prompts: 'a' as never, rng: new Rng(1) });
    await expect(pieces.next()).rejects.toThrow('prompts must be an array of texts, got string.');
    model.dispose();
  });

  it('goes on with prompts, the same for the same seed, until a stop string', async () => {
    const model = build();
    const before = tf.memory().numTensors;
    const write = async (seed: number, stop: string[] = []): Promise<string[]> => {
      const texts = ['a', 'bc'];
      const prompts = [...texts];
      const pieces = generateText({ model, tokenizer, prompts, maximumTokens: 30, stop, rng: new Rng(seed) });
      for await (const { row, text } of pieces) texts[row] += text;
      return texts;
    };
    const first = await write(1);
    expect(first.map(text => text.length)).toEqual([31, 32]);
    expect(await write(1)).toEqual(first);
    expect(await write(2)).not.toEqual(first);
    const stopped = await write(1, ['d']);
    expect(stopped).toEqual(first.map(text => text.split('d')[0]));
    const foreign = generateText({ model, tokenizer, prompts: ['xyz'], rng: new Rng(1) });
    await expect(foreign.next()).rejects.toThrow(/"x"/);
    await expect(generateText({ model, tokenizer, prompts: [''], rng: new Rng(1) }).next()).rejects.toThrow(/token/);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('ends at the next token when the signal says so, and leaves nothing behind', async () => {
    const model = build();
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    const { signal } = controller;
    let pieces = 0;
    for await (const { finished } of generateText({ model, tokenizer, prompts: ['a'], rng: new Rng(1), signal })) {
      expect(finished).toBeNull();
      if (++pieces === 3) controller.abort();
    }
    expect(pieces).toBe(3);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});
