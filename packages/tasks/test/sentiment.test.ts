import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError, FormatError, parameters, Rng, valueAndGrad } from '@ostinato/core';
import {
  classify,
  decodeTextClassifier,
  describeTextClassifier,
  type EncoderName,
  encoderNames,
  encodeTextClassifier,
  evaluate,
  labelsOf,
  occlusion,
  type PoolingName,
  poolingNames,
  saliency,
  TextClassifier,
  type TextClassifierOptions,
  type TrainTextClassifierOptions,
  tellingWords,
  trainTextClassifier,
} from '@ostinato/tasks/sentiment';
import { loadTextClassifier, saveTextClassifier } from '@ostinato/tasks/sentiment/node';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import { BpeTokenizer, type Tokenizer, WordTokenizer } from '@ostinato/tokenizers';
import { type Checkpoint, crossEntropy, encodeCheckpoint, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { sentences } from './sentiment-data.ts';

const sizes = { vocabularySize: 9, labels: ['bad', 'good'], embeddingSize: 4, hiddenSize: 6, numHeads: 2 };
const small = (options: Partial<TextClassifierOptions> = {}): TextClassifier =>
  new TextClassifier({ ...sizes, kernelSizes: [1, 2, 3], rng: new Rng(3), ...options });
const values = (tensor: tf.Tensor): number[] => {
  const read = [...tensor.dataSync()];
  tensor.dispose();
  return read;
};
const examples = sentences(160, 1);
const held = sentences(40, 2);
const texts = examples.map(({ text }) => text);
const tokenizer = WordTokenizer.train(texts, { lowercase: true });
const build = (options: Partial<TextClassifierOptions> = {}, own: Tokenizer = tokenizer): TextClassifier =>
  new TextClassifier({
    ...{ vocabularySize: own.vocabularySize, labels: labelsOf(examples), embeddingSize: 8, hiddenSize: 8 },
    ...{ numHeads: 2, kernelSizes: [1, 2, 3], rng: new Rng(1), ...options },
  });
async function run(options: Partial<TrainTextClassifierOptions> & { model: TextClassifier }): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  const defaults = { tokenizer, examples, epochs: 2, batchSize: 20, learningRate: 2e-2, seed: 5 };
  for await (const event of trainTextClassifier({ ...defaults, ...options })) events.push(event);
  return events;
}
const weights = (model: TextClassifier): number[][] =>
  [...parameters(model).values()].map(variable => [...variable.dataSync()]);
const folder = mkdtempSync(join(tmpdir(), 'ostinato-sentiment-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('TextClassifier', () => {
  it.each(
    encoderNames.flatMap(encoder => poolingNames.map((pooling): [EncoderName, PoolingName] => [encoder, pooling])),
  )('%s and %s: what is behind the end of a row has no influence', (encoder, pooling) => {
    const model = small({ encoder, pooling, numLayers: encoder === 'bag' ? 1 : 2 });
    const alone = values(model.call(tf.tensor2d([[5, 2, 7]], undefined, 'int32')));
    const padded = tf.tensor2d(
      [
        [5, 2, 7, 4, 4],
        [1, 2, 3, 4, 5],
        [6, 6, 6, 6, 6],
      ],
      undefined,
      'int32',
    ); // prettier-ignore
    const together = values(model.call(padded, { lengths: [3, 5, 0] }));
    for (const i of [0, 1]) expect(together[i]).toBeCloseTo(alone[i]!, 5);
    expect(together.every(Number.isFinite)).toBe(true);
    const empty = values(model.call(tf.tensor2d([[3]], undefined, 'int32'), { lengths: [0] }));
    for (const i of [0, 1]) expect(together[4 + i]).toBeCloseTo(empty[i]!, 5);
    padded.dispose();
    model.dispose();
  });

  it.each(encoderNames)('%s: leaves nothing behind, and every parameter gets a gradient', encoder => {
    const model = small({ encoder, pooling: ['mean', 'max', 'attention', 'last'], dropout: 0.2, wordDropout: 0.2 });
    const ids = tf.tensor2d(
      [
        [5, 2, 7, 0],
        [1, 2, 3, 4],
      ],
      undefined,
      'int32',
    ); // prettier-ignore
    const options = { lengths: [3, 4], training: true, rng: new Rng(1) };
    expectNoLeak(() => model.call(ids, options));
    const { value, gradients } = valueAndGrad(parameters(model), () => ({
      loss: crossEntropy({ logits: model.call(ids, options), labels: tf.tensor1d([1, 0], 'int32') }),
    }));
    expect([...gradients.keys()].toSorted()).toEqual([...parameters(model).keys()].toSorted());
    expect(() => model.call(ids, { training: true })).toThrow(/rng/);
    tf.dispose([ids, value, ...gradients.values()]);
    model.dispose();
  });

  it.each(poolingNames)('%s: gradients are those of differences, none behind the end', pooling => {
    const model = small({ encoder: 'gru', pooling });
    const vectors = new Rng(2).normal([2, 4, 4]);
    gradCheck(x => model.classify(x, { lengths: [4, 2] }), [vectors], { tolerance: 5e-3, elements: 8 });
    const gradient = tf.tidy(() =>
      tf
        .grad(x => tf.sum(model.classify(x, { lengths: [4, 2] })))(vectors)
        .arraySync(),
    );
    expect((gradient as number[][][])[1]!.slice(2).flat()).toEqual(new Array(8).fill(0));
    vectors.dispose();
    model.dispose();
  });

  it('pools last steps of each direction, means and maxima', () => {
    const model = small({ encoder: 'lstm', pooling: ['last', 'mean', 'max'] });
    tf.tidy(() => {
      const states = tf.reshape(tf.range(0, 72), [2, 3, 12]);
      const pooled = model.pooling.call(states, { lengths: [2, 3] }).arraySync() as number[][];
      // Six features forward at the last step, six backward at the first.
      expect(pooled[0]!.slice(0, 12)).toEqual([12, 13, 14, 15, 16, 17, 6, 7, 8, 9, 10, 11]);
      expect(pooled[0]![12]).toBe(6);
      expect(pooled[1]![24]).toBe(60);
    });
    model.dispose();
  });

  it('says what is wrong', () => {
    expect(() => small({ labels: ['one'] })).toThrow(/labels must be at least 2 texts/);
    expect(() => small({ labels: ['one', 'one'] })).toThrow(ArgumentError);
    expect(() => small({ encoder: 'cnn' as 'bag' })).toThrow(/unknown encoder, expected 'bag' \| 'convolution'/);
    expect(() => small({ pooling: ['max', 'max'] })).toThrow(/each listed once/);
    expect(() => small({ pooling: 'sum' as 'max' })).toThrow(/unknown pooling/);
    expect(() => small({ kernelSizes: [] })).toThrow(/kernelSizes/);
    const model = small();
    const ids = tf.tensor2d([[1, 2]], undefined, 'int32');
    expect(() => model.call(ids, { lengths: [3] })).toThrow(/every length must be an integer in 0 … 2, got 3/);
    expect(() => model.call(ids, { lengths: [1, 1] })).toThrow(/lengths must be \[batch\]/);
    ids.dispose();
    model.dispose();
  });
});

describe('trainTextClassifier', () => {
  it.each<EncoderName>(['bag', 'convolution', 'transformer'])('%s learns sentences with negations', async encoder => {
    const model = build({ encoder, pooling: ['mean', 'max'] });
    const before = tf.memory().numTensors;
    const epochs = 6;
    const events = await run({ model, epochs, validation: held });
    expect(events.filter(event => event.event === 'validation')).toHaveLength(epochs);
    expect(events.at(-1)).toMatchObject({ event: 'stopped', reason: 'steps', step: 8 * epochs });
    const { accuracy, nats, labels, confusion } = await evaluate({ model, tokenizer, examples: held });
    expect(accuracy).toBeGreaterThan(encoder === 'bag' ? 0.75 : 0.9); // a bag cannot tell what `not` turns
    expect(nats).toBeLessThan(0.7);
    expect(labels).toEqual(['bad', 'good', 'plain']);
    expect(confusion.flat().reduce((a, b) => a + b)).toBe(40);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('reads byte pairs as well as words', async () => {
    const own = BpeTokenizer.train(texts, { maximumSize: 330, lowercase: true });
    const model = build({ encoder: 'convolution' }, own);
    await run({ model, tokenizer: own, epochs: 6 });
    expect((await evaluate({ model, tokenizer: own, examples: held })).accuracy).toBeGreaterThan(0.85);
    const { tokens } = await saliency({ model, tokenizer: own, text: 'The film was lovely' });
    expect(tokens.map(({ token }) => token).join('')).toBe('thefilmwaslovely');
    model.dispose();
  });

  it.each<[string, EncoderName, Partial<TrainTextClassifierOptions>]>([
    ['alone', 'gru', {}],
    ['with averages', 'bag', { averageDecay: 0.9, schedule: 'cosine' }],
    ['with averages and validation', 'bag', { averageDecay: 0.9, validation: held, validateEvery: 5 }],
  ])('goes on from a checkpoint, to the bit: %s', async (_, encoder, options) => {
    const regular = { encoder, dropout: 0.3, wordDropout: 0.2, embeddingDropout: 0.2 } as const;
    const [whole, cut] = [build(regular), build(regular)];
    const last: Checkpoint[] = [];
    const checkpoint = { every: 1000, save: (saved: Checkpoint) => void last.push(saved) };
    await run({
      model: whole,
      ...options,
      checkpoint,
      description: describeTextClassifier({ model: whole, tokenizer }),
    });
    const saved: Checkpoint[] = [];
    const controller = new AbortController();
    const training = trainTextClassifier({
      ...{ model: cut, tokenizer, examples, epochs: 2, batchSize: 20, learningRate: 2e-2, seed: 5, ...options },
      checkpoint: { every: 1000, save: state => void saved.push(state) },
      description: describeTextClassifier({ model: cut, tokenizer }),
      signal: controller.signal,
    });
    for await (const event of training) if (event.event === 'step' && event.step === 11) controller.abort();
    expect(saved.map(({ step }) => step)).toEqual([11]);

    const loaded = decodeTextClassifier(encodeCheckpoint(saved[0]!));
    expect(weights(loaded.model)).toEqual(weights(cut)); // what the run left behind: the best, the averages, or the last
    await run({ model: loaded.model, ...options, resume: loaded.checkpoint });
    expect(weights(loaded.model)).toEqual(weights(whole));
    const ended = decodeTextClassifier(encodeCheckpoint(last.at(-1)!));
    expect(weights(ended.model)).toEqual(weights(whole));
    for (const model of [whole, cut, loaded.model, ended.model]) model.dispose();
  });

  it('stops early and keeps the best weights', async () => {
    const model = build({ encoder: 'bag', pooling: 'mean' });
    const events = await run({ model, epochs: 30, validation: held, patience: 2, learningRate: 3e-2 });
    expect(events.at(-1)).toMatchObject({ reason: 'early' });
    const accuracies = events.flatMap(event => (event.event === 'validation' ? [event.metrics['accuracy']!] : []));
    const { accuracy } = await evaluate({ model, tokenizer, examples: held });
    expect(accuracy).toBeCloseTo(Math.max(...accuracies), 10);
    model.dispose();
  });

  it('leaves frozen vectors as they are', async () => {
    const vectors = new Rng(9).normal([tokenizer.vocabularySize, 8]);
    const model = build({ encoder: 'bag', pooling: 'mean', vectors: () => tf.clone(vectors) });
    await run({ model, epochs: 1, freezeVectors: true });
    expect([...model.encoder.embedding.table.dataSync()]).toEqual([...vectors.dataSync()]);
    vectors.dispose();
    model.dispose();
  });

  it('refuses what does not fit', async () => {
    const model = build({ encoder: 'bag' });
    const before = tf.memory().numTensors;
    const wrong = [...examples.slice(0, 3), { text: 'the film', label: 'odd' }];
    await expect(run({ model, examples: wrong })).rejects.toThrow(
      /example 3 must have one of the model's labels, expected "bad" \| "good" \| "plain", got "odd"/,
    );
    await expect(run({ model, examples: [] })).rejects.toThrow(/at least one item/);
    await expect(run({ model, epochs: 0 })).rejects.toThrow(/epochs/);
    await expect(run({ model, tokenizer: WordTokenizer.train('a b') })).rejects.toThrow(
      /vocabulary must be the model's/,
    );
    await expect(evaluate({ model, tokenizer, examples: [] })).rejects.toThrow(/at least one example/);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});

describe('classify, saliency and files', () => {
  it('classifies alone as in a batch, explains, and comes back from a file', async () => {
    const model = build({ encoder: 'bag', pooling: 'mean' });
    await run({ model, epochs: 6, batchSize: 8 });
    const before = tf.memory().numTensors;
    const asked = ['The film was great', '', 'that play was in the end dreadful and unheard of'];
    const found = await classify({ model, tokenizer, texts: asked });
    expect(found.map(({ label }) => label)).toEqual(['good', expect.any(String), 'bad']);
    for (const [i, text] of asked.entries()) {
      const [alone] = await classify({ model, tokenizer, texts: [text] });
      expect(alone!.probability).toBeCloseTo(found[i]!.probability, 5);
      expect(Object.values(alone!.probabilities).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    }
    const why = await saliency({ model, tokenizer, text: asked[0]! });
    expect(why).toMatchObject({ label: 'good', probability: found[0]!.probability });
    expect(why.tokens.map(({ token }) => token)).toEqual(['The', 'film', 'was', 'great']);
    expect(why.tokens.toSorted((a, b) => b.score - a.score)[0]!.token).toBe('great');
    expect((await saliency({ model, tokenizer, text: asked[0]!, label: 'bad' })).tokens[3]!.score).toBeLessThan(0);
    const left = await occlusion({ model, tokenizer, text: asked[2]! });
    expect(left.tokens.toSorted((a, b) => b.score - a.score)[0]!.token).toBe('dreadful');
    expect((await saliency({ model, tokenizer, text: '' })).tokens).toEqual([]);
    const telling = await tellingWords({ model, tokenizer, texts, count: 4 });
    expect(telling['good']!.map(({ token }) => token).toSorted()).toEqual(['charming', 'great', 'lovely', 'superb']);
    expect(tf.memory().numTensors).toBe(before);
    await expect(saliency({ model, tokenizer, text: 'x', label: 'odd' })).rejects.toThrow(/one of the model's/);

    const path = join(folder, 'model.safetensors');
    await saveTextClassifier(path, { model, tokenizer, details: { note: 1 } });
    const loaded = await loadTextClassifier(path);
    expect(loaded).toMatchObject({ details: { note: 1 }, checkpoint: null });
    expect(weights(loaded.model)).toEqual(weights(model));
    expect(await classify({ ...loaded, texts: asked })).toEqual(found);
    const half = decodeTextClassifier(await encodeTextClassifier({ model, tokenizer, dtype: 'F16' }));
    expect((await classify({ ...half, texts: asked }))[0]!.label).toBe('good');
    for (const one of [loaded.model, half.model, model]) one.dispose();

    writeFileSync(path, 'no model');
    await expect(loadTextClassifier(path)).rejects.toThrow(FormatError);
    await expect(loadTextClassifier(join(folder, 'none'))).rejects.toThrow(/there is no such file/);
    expect(tf.memory().numTensors).toBe(before - parameters(model).size);
  });

  it('sums gradient × input and bias to the log-odds of a bag', async () => {
    const model = build({ encoder: 'bag', pooling: 'mean', labels: ['a', 'b'] });
    const { tokens, probability } = await saliency({ model, tokenizer, text: 'the film was great', label: 'b' });
    const [first, second] = [...model.output.bias!.dataSync()] as [number, number];
    const sum = tokens.reduce((total, { score }) => total + score, second - first);
    expect(sum).toBeCloseTo(Math.log(probability / (1 - probability)), 4);
    model.dispose();
  });
});
