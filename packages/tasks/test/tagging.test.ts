import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError, FormatError, parameters, Rng } from '@ostinato/core';
import {
  decodeSequenceTagger,
  describeSequenceTagger,
  type EncoderName,
  encodeSequenceTagger,
  evaluate,
  formatTaggedSentences,
  parseTaggedSentences,
  SequenceTagger,
  type SequenceTaggerOptions,
  type TaggedSentence,
  type TrainSequenceTaggerOptions,
  tag,
  tagsOf,
  trainSequenceTagger,
} from '@ostinato/tasks/tagging';
import { loadSequenceTagger, saveSequenceTagger } from '@ostinato/tasks/tagging/node';
import { expectNoLeak } from '@ostinato/testing';
import { BpeTokenizer, type Tokenizer, WordTokenizer } from '@ostinato/tokenizers';
import { type Checkpoint, encodeCheckpoint, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';

/** Orders with places and people in them; `may` is a month or a verb, `paris` a city or a person's name. */
function orders(count: number, seed: number): TaggedSentence[] {
  const rng = new Rng(seed);
  const pick = (items: readonly string[]): string => items[rng.integer(items.length)]!;
  return Array.from({ length: count }, () => {
    const name = pick(['anna B-PER', 'paris B-PER hill I-PER', 'tom B-PER reed I-PER', 'mary B-PER']);
    const city = pick(['rome B-LOC', 'paris B-LOC', 'new B-LOC york I-LOC']);
    const text = pick([
      `fly O to O ${city} in O may B-DATE`,
      `may O ${name} go O to O ${city}`,
      `ask O ${name} about O ${city} please O`,
      `${name} may O stay O`,
    ]);
    const fields = text.split(' ');
    return { words: fields.filter((_, i) => i % 2 === 0), tags: fields.filter((_, i) => i % 2 === 1) };
  });
}

const sentences = orders(80, 1);
const held = orders(30, 2);
const texts = sentences.map(({ words }) => words.join(' '));
const tokenizer = WordTokenizer.train(texts);
const labels = tagsOf(sentences);
const build = (options: Partial<SequenceTaggerOptions> = {}, own: Tokenizer = tokenizer): SequenceTagger =>
  new SequenceTagger({
    ...{ vocabularySize: own.vocabularySize, labels, embeddingSize: 8, hiddenSize: 8, numHeads: 2 },
    ...{ encoder: 'gru', kernelSizes: [1, 3], rng: new Rng(1), ...options },
  });
async function run(options: Partial<TrainSequenceTaggerOptions> & { model: SequenceTagger }): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  const defaults = { tokenizer, sentences, epochs: 6, batchSize: 10, learningRate: 3e-2, seed: 5 };
  for await (const event of trainSequenceTagger({ ...defaults, ...options })) events.push(event);
  return events;
}
const weights = (model: SequenceTagger): number[][] =>
  [...parameters(model).values()].map(variable => [...variable.dataSync()]);
const folder = mkdtempSync(join(tmpdir(), 'ostinato-tagging-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('SequenceTagger', () => {
  it.each<EncoderName>(['convolution', 'gru', 'transformer'])(
    '%s learns what words mean where they stand',
    async encoder => {
      const model = build({ encoder });
      const before = tf.memory().numTensors;
      const events = await run({ model, validation: held });
      expect(events.filter(event => event.event === 'validation')).toHaveLength(6);
      const { accuracy, spans, words } = await evaluate({ model, tokenizer, sentences: held });
      expect(accuracy).toBeGreaterThan(0.95);
      expect(spans!.f1).toBeGreaterThan(0.93);
      expect(words).toBe(held.flatMap(sentence => sentence.words).length);
      const last = events.findLast(event => event.event === 'validation');
      expect(Object.keys(last!.metrics)).toEqual(['validationLoss', 'accuracy', 'spanF1']);
      expect(tf.memory().numTensors).toBe(before);

      const asked = ['may paris hill go to rome', '', ['fly', 'to', 'new', 'york']];
      const found = await tag({ model, tokenizer, sentences: asked });
      expect(found[0]!.tags).toEqual(['O', 'B-PER', 'I-PER', 'O', 'O', 'B-LOC']);
      expect(found[1]).toEqual({ words: [], tags: [], probabilities: [] });
      expect(found[2]!.tags).toEqual(['O', 'O', 'B-LOC', 'I-LOC']);
      // Alone as in a batch, which is padded.
      const [alone] = await tag({ model, tokenizer, sentences: [asked[2]!] });
      for (const [i, probability] of alone!.probabilities.entries()) {
        expect(probability).toBeCloseTo(found[2]!.probabilities[i]!, 5);
      }
      model.dispose();
    },
  );

  it('leaves padding out of the loss, and leaks nothing', async () => {
    const model = build({ dropout: 0.2 });
    const ids = tf.tensor2d([[1, 2, 3]], undefined, 'int32');
    expectNoLeak(() => model.call(ids, { lengths: [2], training: true, rng: new Rng(1) }));
    ids.dispose();
    // The mean over words: a batch of a short and a long sentence weighs each word alike.
    const two: TaggedSentence[] = [
      { words: ['fly'], tags: ['O'] },
      { words: ['may', 'anna', 'stay'], tags: ['O', 'B-PER', 'O'] },
    ];
    const plain = build();
    const { nats } = await evaluate({ model: plain, tokenizer, sentences: two });
    const [step] = (await run({ model: plain, sentences: two, epochs: 1 })).filter(event => event.event === 'step');
    expect(step!.loss).toBeCloseTo(nats, 5);
    model.dispose();
    plain.dispose();
  });

  it('reads words of several tokens', async () => {
    const own = BpeTokenizer.train(texts, { maximumSize: 270 });
    const model = build({ encoder: 'convolution', kernelSizes: [3, 7] }, own);
    await run({ model, tokenizer: own });
    const { spans } = await evaluate({ model, tokenizer: own, sentences: held });
    expect(spans!.f1).toBeGreaterThan(0.8);
    const [found] = await tag({ model, tokenizer: own, sentences: ['ask zebulon about rome'] });
    expect(found!.tags).toHaveLength(4);
    model.dispose();
  });

  it('goes on from a checkpoint, to the bit, and comes back from a file', async () => {
    const options = { validation: held, averageDecay: 0.9, epochs: 2 };
    const [whole, cut] = [build({ dropout: 0.3 }), build({ dropout: 0.3 })];
    await run({ model: whole, ...options });
    const saved: Checkpoint[] = [];
    const controller = new AbortController();
    const training = trainSequenceTagger({
      ...{ model: cut, tokenizer, sentences, batchSize: 10, learningRate: 3e-2, seed: 5, ...options },
      checkpoint: { every: 1000, save: state => void saved.push(state) },
      description: describeSequenceTagger({ model: cut, tokenizer, details: { note: 2 } }),
      signal: controller.signal,
    });
    for await (const event of training) if (event.event === 'step' && event.step === 11) controller.abort();
    const loaded = decodeSequenceTagger(encodeCheckpoint(saved[0]!));
    expect(loaded.details).toEqual({ note: 2 });
    expect(weights(loaded.model)).toEqual(weights(cut));
    await run({ model: loaded.model, ...options, resume: loaded.checkpoint });
    expect(weights(loaded.model)).toEqual(weights(whole));

    const path = join(folder, 'tagger.safetensors');
    await saveSequenceTagger(path, { model: whole, tokenizer });
    const again = await loadSequenceTagger(path);
    expect(await tag({ ...again, sentences: texts })).toEqual(await tag({ model: whole, tokenizer, sentences: texts }));
    const bytes = await encodeSequenceTagger({ model: whole, tokenizer });
    expect(() => decodeSequenceTagger(bytes.subarray(0, bytes.length - 9))).toThrow(FormatError);
    for (const model of [whole, cut, loaded.model, again.model]) model.dispose();
  });

  it('measures spans only of tags that are IOB2’s', async () => {
    const nouns: TaggedSentence[] = [{ words: ['fly', 'anna'], tags: ['VERB', 'NOUN'] }];
    const model = build({ labels: ['NOUN', 'VERB'], encoder: 'bag' });
    const events = await run({ model, sentences: nouns, validation: nouns, epochs: 2 });
    expect(events.filter(event => event.event === 'validation')).toHaveLength(2);
    expect((await evaluate({ model, tokenizer, sentences: nouns })).spans).toBeNull();
    model.dispose();
  });

  it('says what is wrong', async () => {
    const model = build({ encoder: 'bag' });
    const sentence = (words: string[], tags: string[]): TaggedSentence[] => [{ words, tags }];
    await expect(run({ model, sentences: sentence(['fly', 'to'], ['O']) })).rejects.toThrow(
      /sentence 0 must have words, and a tag for each, got 2 words and 1 tags/,
    );
    await expect(run({ model, sentences: sentence(['fly'], ['B-X']) })).rejects.toThrow(/got "B-X" at word 0/);
    await expect(tag({ model, tokenizer, sentences: [['fly', ' ']] })).rejects.toThrow(/word 1 must have a token/);
    await expect(evaluate({ model, tokenizer, sentences: [] })).rejects.toThrow(ArgumentError);
    expect(() => build({ labels: ['O'] })).toThrow(/labels must be at least 2/);
    model.dispose();
  });
});

describe('columns', () => {
  it('are read with byte order mark, CRLF, blank lines, other columns and document lines', () => {
    const expected = [
      { words: ['Anna', 'flies'], tags: ['B-PER', 'O'] },
      { words: ['Go'], tags: ['O'] },
    ];
    for (const text of [
      'Anna B-PER\nflies O\n\nGo O\n',
      '\ufeffAnna\tB-PER\r\nflies\tO\r\n\r\n\r\nGo\tO',
      '-DOCSTART- -X- -X- O\n\nAnna NNP x B-PER\nflies VBZ x O\n\nGo VB x O\n\n',
    ]) {
      expect(parseTaggedSentences(text)).toEqual(expected);
    }
    expect(parseTaggedSentences(formatTaggedSentences(expected))).toEqual(expected);
    expect(parseTaggedSentences('New York\tB-LOC\n')).toEqual([{ words: ['New York'], tags: ['B-LOC'] }]);
  });

  it('name the line that is wrong', () => {
    expect(() => parseTaggedSentences('Anna B-PER\n\nflies\n', { source: 'a.txt' })).toThrow(
      /line 3 of a\.txt: a line must be a word and its tag.*expected 2 columns, got 1: "flies"/,
    );
    expect(() => parseTaggedSentences('Anna B-PER\nflies V O\n')).toThrow(/line 2 of text.*got 3/);
    expect(() => parseTaggedSentences('Anna\t\n')).toThrow(/line 1/);
    expect(() => parseTaggedSentences('\n \n')).toThrow(/text must have a sentence/);
  });
});
