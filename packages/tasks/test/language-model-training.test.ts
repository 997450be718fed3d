import '@ostinato/backend-cpu';
import { parameters, Rng } from '@ostinato/core';
import {
  type AnyLanguageModel,
  architectures,
  type CreateLanguageModelOptions,
  createLanguageModel,
  decodeLanguageModel,
  describeLanguageModel,
  evaluate,
  type LanguageModelConfig,
  type TrainLanguageModelOptions,
  trainLanguageModel,
} from '@ostinato/tasks/language-modeling';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import { type Checkpoint, encodeCheckpoint, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';

// On the engine that these tasks are for: the stock backend takes three times as long.
beforeAll(() => tf.setBackend('ostinato-cpu'));

const text = 'the cat sat on the mat. '.repeat(40);
const tokenizer = CharacterTokenizer.train(text);
const tokens = tokenizer.encode(text);
const build = (options: Partial<LanguageModelConfig> = {}): AnyLanguageModel =>
  createLanguageModel({
    vocabularySize: tokenizer.vocabularySize,
    ...(options.architecture === 'gpt' ? { contextLength: 16, numLayers: 1, numHeads: 2 } : { embeddingSize: 8 }),
    hiddenSize: 24,
    rng: new Rng(1),
    ...options,
  } as CreateLanguageModelOptions);

async function run(options: Partial<TrainLanguageModelOptions> & { model: AnyLanguageModel }): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  const defaults = { tokens, steps: 10, batchSize: 4, windowLength: 16, seed: 5 };
  for await (const event of trainLanguageModel({ ...defaults, ...options })) events.push(event);
  return events;
}

const values = (model: AnyLanguageModel): number[][] =>
  [...parameters(model).values()].map(variable => Array.from(variable.dataSync()));

describe('trainLanguageModel', () => {
  it.each(architectures)('%s learns a sentence by heart', async architecture => {
    const model = build({ architecture });
    const before = tf.memory().numTensors;
    const learningRate = architecture === 'rnn' ? 5e-3 : 1e-2;
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
    ['blocks, with a GPT and decay', { batches: 'blocks', warmup: 5, weightDecay: 0.1, beta2: 0.99, finalRate: 0.1 }],
  ])('goes on from a checkpoint, to the bit: %s', async (name, options) => {
    const architecture = name.includes('GPT') ? 'gpt' : 'lstm';
    const documentStarts = Int32Array.of(0, 100, 333);
    const shared = { ...options, documentStarts, schedule: 'cosine' as const };
    const [whole, cut] = [build({ architecture, dropout: 0.2 }), build({ architecture, dropout: 0.2 })];
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

  it('refuses what a model without a state cannot do', async () => {
    const model = build({ architecture: 'gpt' });
    await expect(run({ model, batches: 'streams' })).rejects.toThrow(/without a state to carry .* got 'streams', 16/);
    await expect(run({ model, bptt: 4 })).rejects.toThrow(/gradients through all of them/);
    await expect(run({ model, windowLength: 17 })).rejects.toThrow(
      /within the contextLength of the model, must be .* ≤ 16/,
    );
    await expect(run({ model, steps: 10, warmup: 10 })).rejects.toThrow(/warmup must be/);
    model.dispose();
  });

  it('refuses a text shorter than a window', async () => {
    const model = build();
    await expect(run({ model, tokens: tokens.subarray(0, 16) })).rejects.toThrow(/too few tokens/);
    model.dispose();
  });
});
