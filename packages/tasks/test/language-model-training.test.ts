import { parameters, Rng } from '@ostinato/core';
import {
  cellNames,
  decodeLanguageModel,
  describeLanguageModel,
  evaluate,
  LanguageModel,
  type TrainLanguageModelOptions,
  trainLanguageModel,
} from '@ostinato/tasks/language-modeling';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import { type Checkpoint, encodeCheckpoint, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

const text = 'the cat sat on the mat. '.repeat(40);
const tokenizer = CharacterTokenizer.train(text);
const tokens = tokenizer.encode(text);
const build = (options: object = {}): LanguageModel =>
  new LanguageModel({
    vocabularySize: tokenizer.vocabularySize,
    embeddingSize: 8,
    hiddenSize: 24,
    rng: new Rng(1),
    ...options,
  });

async function run(options: Partial<TrainLanguageModelOptions> & { model: LanguageModel }): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  const defaults = { tokens, steps: 10, batchSize: 4, windowLength: 16, seed: 5 };
  for await (const event of trainLanguageModel({ ...defaults, ...options })) events.push(event);
  return events;
}

const values = (model: LanguageModel): number[][] =>
  [...parameters(model).values()].map(variable => Array.from(variable.dataSync()));

describe('trainLanguageModel', () => {
  it.each(cellNames)('%s learns a sentence by heart', async cell => {
    const model = build({ cell });
    const before = tf.memory().numTensors;
    const learningRate = cell === 'rnn' ? 5e-3 : 1e-2;
    const events = await run({
      model,
      steps: 150,
      learningRate,
      validation: tokens.subarray(0, 200),
      validateEvery: 75,
    });
    expect(events.filter(event => event.event === 'validation')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ event: 'stopped', reason: 'steps', step: 150 });
    // Only what follows a t or a blank is not certain from two characters; ln 11 = 2.4 knows nothing.
    expect((await evaluate(model, tokens)).nats).toBeLessThan(0.25);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it.each<[string, Partial<TrainLanguageModelOptions>]>([
    ['windows', {}],
    ['windows in parts', { bptt: 6 }],
    ['streams', { batches: 'streams' }],
    ['streams in parts', { batches: 'streams', bptt: 6 }],
    ['streams with gradients through earlier windows', { batches: 'streams', bptt: 40 }],
  ])('goes on from a checkpoint, to the bit: %s', async (_, options) => {
    const documentStarts = Int32Array.of(0, 100, 333);
    const shared = { ...options, documentStarts, schedule: 'cosine' as const };
    const [whole, cut] = [build({ dropout: 0.2 }), build({ dropout: 0.2 })];
    await run({ model: whole, steps: 40, ...shared });

    const saved: Checkpoint[] = [];
    const controller = new AbortController();
    const training = trainLanguageModel({
      model: cut,
      tokens,
      steps: 40,
      batchSize: 4,
      windowLength: 16,
      seed: 5,
      ...shared,
      checkpoint: { every: 100, save: checkpoint => void saved.push(checkpoint) },
      description: describeLanguageModel({ model: cut, tokenizer }),
      signal: controller.signal,
    });
    for await (const event of training) if (event.event === 'step' && event.step === 17) controller.abort();
    expect(saved.map(checkpoint => checkpoint.step)).toEqual([17]);

    const loaded = decodeLanguageModel(encodeCheckpoint(saved[0]!));
    await run({ model: loaded.model, steps: 40, ...shared, resume: loaded.checkpoint });
    expect(values(loaded.model)).toEqual(values(whole));
    for (const model of [whole, cut, loaded.model]) model.dispose();
  });

  it('lets gradients flow only as far as bptt', async () => {
    // At step 1 all see the same windows; what differs is how far gradients flow, and so their norms.
    const norm = async (options: Partial<TrainLanguageModelOptions>): Promise<number> => {
      const model = build();
      const events = await run({ model, steps: 1, ...options });
      model.dispose();
      return (events.find(event => event.event === 'step') as { gradientNorm: number }).gradientNorm;
    };
    const full = await norm({});
    expect(await norm({ bptt: 16 })).toBe(full);
    expect(Math.abs((await norm({ bptt: 1 })) - full)).toBeGreaterThan(1e-4);
    const model = build();
    await expect(run({ model, bptt: 17 })).rejects.toThrow(/bptt ≤ windowLength, expected ≤ 16, got 17/);
    model.dispose();
  });

  it('carries in streams what windows forget', async () => {
    // One letter, four dots, the same letter again, over and over: the letter is known only from before the window.
    const rng = new Rng(4);
    const recall = Array.from({ length: 400 }, () => {
      const letter = 'xyz'[rng.integer(3)]!;
      return `${letter}....${letter}`;
    }).join('');
    const own = CharacterTokenizer.train(recall);
    const ids = own.encode(recall);
    const learn = async (options: Partial<TrainLanguageModelOptions>): Promise<number> => {
      const model = build({ vocabularySize: own.vocabularySize });
      await run({ model, tokens: ids, steps: 250, batchSize: 8, learningRate: 1e-2, windowLength: 3, ...options });
      const { nats } = await evaluate(model, ids);
      model.dispose();
      return nats;
    };
    // A letter costs ln 3 = 1.10 nats when unknown: 0.18 a character for the first of each pair, as much again for the second.
    expect(await learn({ batches: 'streams', bptt: 12 })).toBeLessThan(0.27);
    expect(await learn({ batches: 'windows' })).toBeGreaterThan(0.3);
  });

  it('refuses a text shorter than a window', async () => {
    const model = build();
    await expect(run({ model, tokens: tokens.subarray(0, 16) })).rejects.toThrow(/too few tokens/);
    model.dispose();
  });
});
