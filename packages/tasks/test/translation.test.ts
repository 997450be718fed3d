import '@ostinato/backend-cpu';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError, disposeState, FormatError, parameters, Rng } from '@ostinato/core';
import {
  createTranslator,
  decodeTranslator,
  describeTranslator,
  encodeTranslator,
  evaluate,
  meanAttention,
  type TrainTranslatorOptions,
  type Translator,
  type TranslatorConfig,
  trainTokenizers,
  trainTranslator,
  translate,
} from '@ostinato/tasks/translation';
import { loadTranslator, saveTranslator } from '@ostinato/tasks/translation/node';
import { allClose, expectNoLeak } from '@ostinato/testing';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// On the engine that these tasks are for: the stock backend takes three times as long.
beforeAll(() => tf.setBackend('ostinato-cpu'));

const folder = mkdtempSync(join(tmpdir(), 'ostinato-translation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Words of a language in which nouns and adjectives change places, and their translation. */
const nouns = { chat: 'cat', chien: 'dog', maison: 'house', livre: 'book' };
const adjectives = { noir: 'black', petit: 'small', vieux: 'old' };
const pairs = Object.entries(nouns).flatMap(([noun, translated]) =>
  Object.entries(adjectives).map(([adjective, word]) => ({
    source: `le ${noun} ${adjective} dort`,
    target: `the ${word} ${translated} sleeps`,
  })),
);
const tokenizers = trainTokenizers({ pairs, type: 'word' });
const { vocabularySize } = tokenizers.source;
const sizes = {
  transformer: { architecture: 'transformer', size: 16, numHeads: 2, encoderLayers: 1, decoderLayers: 1 },
  recurrent: { architecture: 'recurrent', embeddingSize: 12, hiddenSize: 16 },
} as const;
const build = (options: Partial<TranslatorConfig> = {}, rng = new Rng(3)): Translator => {
  const { architecture = 'transformer' } = options;
  return createTranslator({ ...sizes[architecture], vocabularySize, dropout: 0, ...options, rng } as never);
};
const training = { tokenizers, pairs, maximumTokens: 60, learningRate: 1e-2, labelSmoothing: 0.05 };
async function run(
  options: { model: Translator; steps: number } & Partial<TrainTranslatorOptions>,
): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  for await (const event of trainTranslator({ ...training, ...options })) events.push(event);
  return events;
}
const weights = (model: Translator): number[][] =>
  [...parameters(model).values()].map(variable => [...variable.dataSync()]);
const ids = (rows: number[][]): tf.Tensor2D => tf.tensor2d(rows, [rows.length, rows[0]!.length], 'int32');

const architectures: [string, Partial<TranslatorConfig>][] = [
  ['transformer', {}],
  ['recurrent network with Bahdanau attention', { architecture: 'recurrent' }],
  [
    'recurrent network with Luong attention',
    { architecture: 'recurrent', attention: 'luong', cell: 'lstm', decoderLayers: 2 },
  ],
  ['recurrent network with plain Luong attention', { architecture: 'recurrent', attention: 'luong-plain' }],
];

describe.each(architectures)('a %s', (_, config) => {
  it('gives the logits of a known target step by step as all at once, and padding changes nothing', () => {
    const model = build(config);
    const source = ids([
      [5, 6, 3, 0, 0],
      [7, 8, 9, 5, 3],
    ]);
    const target = ids([
      [2, 5, 6, 7],
      [2, 8, 9, 10],
    ]);
    const sourceLengths = tf.tensor1d([3, 5], 'int32');
    expectNoLeak(() => {
      tf.tidy(() => {
        const whole = model.call({ source, target }, { sourceLengths }); // [2, 4, V]
        const alone = model.call({ source: tf.slice(source, [0, 0], [1, 3]), target: tf.slice(target, 0, 1) });
        expect(allClose(alone, tf.slice(whole, 0, 1), 1e-5)).toMatchObject({ close: true });
        let state = model.initialState(source, { maximumTime: 6, sourceLengths });
        for (let t = 0; t < 4; t++) {
          const { logits, state: next } = model.step(tf.squeeze(tf.slice(target, [0, t], [2, 1]), [1]), state);
          const expected = tf.squeeze(tf.slice(whole, [0, t, 0], [2, 1, -1]), [1]);
          expect(allClose(logits, expected, 1e-5)).toMatchObject({ close: true });
          state = next;
        }
      });
      disposeState(model.initialState(source, { maximumTime: 6, sourceLengths }));
    });
    tf.dispose([source, target, sourceLengths]);
    model.dispose();
  });

  it('learns a small language, says where it looked, and comes back from a file', { timeout: 60_000 }, async () => {
    const model = build(config);
    const events = await run({ model, steps: 150, validation: pairs, validateEvery: 75, averageDecay: 0.9 });
    const validated = events.flatMap(event => (event.event === 'validation' ? [event.metrics] : []));
    expect(validated.at(-1)).toMatchObject({ bleu: expect.closeTo(100, 5) });
    const texts = ['le chien noir dort', '', 'le livre petit dort'];
    const found = await translate({ model, tokenizers, texts, attention: true, count: 2 });
    expect(found.map(({ text }) => text)).toEqual(['the black dog sleeps', '', 'the small book sleeps']);
    expect(found[0]!.alternatives).toHaveLength(2);
    expect(found[1]).toEqual({
      ...found[1]!.alternatives[0],
      alternatives: [{ text: '', logProbability: 0, score: 0, finished: true }],
    });
    const map = found[0]!.attention!;
    expect(map).toMatchObject({
      source: ['le', 'chien', 'noir', 'dort', '</s>'],
      target: ['the', 'black', 'dog', 'sleeps', '</s>'],
    });
    const rows = meanAttention(map);
    expect(rows).toHaveLength(5);
    for (const row of rows) expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
    const { bleu, translations, nats } = await evaluate({ model, tokenizers, pairs, beamSize: 2 });
    expect(bleu.score).toBeCloseTo(100, 5);
    expect(translations.map(({ text }) => text)).toEqual(pairs.map(({ target }) => target));
    expect(validated.map(metrics => metrics['validationLoss'])).toContainEqual(expect.closeTo(nats, 4));

    const file = join(folder, 'translator.safetensors');
    await saveTranslator(file, { model, tokenizers, details: { run: 1 } });
    const loaded = await loadTranslator(file);
    expect(loaded.details).toEqual({ run: 1 });
    expect(weights(loaded.model)).toEqual(weights(model));
    const again = await translate({ ...loaded, texts });
    expect(again.map(({ text }) => text)).toEqual(found.map(({ text }) => text));
    model.dispose();
    loaded.model.dispose();
  });

  it('translates a batch as one by one, and leaves nothing behind', async () => {
    const model = build(config);
    const texts = ['le chat', 'le chien noir', 'chat', 'le maison vieux noir'];
    const before = tf.memory().numTensors;
    const options = { model, tokenizers, beamSize: 3, count: 2 };
    const together = await translate({ ...options, texts });
    for (const [i, text] of texts.entries()) {
      const [alone] = await translate({ ...options, texts: [text] });
      expect(together[i]!.alternatives.map(found => found.text)).toEqual(alone!.alternatives.map(found => found.text));
      expect(together[i]!.logProbability).toBeCloseTo(alone!.logProbability, 4);
    }
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});

describe('trainTranslator', () => {
  const short = { steps: 6, dropout: 0.2, validation: pairs.slice(0, 3), validateEvery: 2, validationBeam: 2 };

  it('goes on to the bit from a checkpoint, whose file alone is a model', async () => {
    const whole = build({ dropout: 0.2 });
    const saved: Uint8Array[] = [];
    const save = (checkpoint: Checkpoint): void => {
      saved.push(encodeCheckpoint(checkpoint));
    };
    const description = describeTranslator({ model: whole, tokenizers });
    await run({ ...short, model: whole, description, checkpoint: { every: 3, save } });
    const resumed = build({ dropout: 0.2 });
    await run({ ...short, model: resumed, resume: decodeCheckpoint(saved[0]!) });
    expect(weights(resumed)).toEqual(weights(whole));
    const loaded = decodeTranslator(saved[0]!);
    expect(loaded.checkpoint?.step).toBe(3);
    expect(loaded.model.config).toEqual(whole.config);
    for (const model of [whole, resumed, loaded.model]) model.dispose();
  });

  it('trains with two vocabularies, and keeps both in the file', async () => {
    const two = trainTokenizers({ pairs, type: 'word', joint: false });
    const config = { vocabularySize: two.source.vocabularySize, targetVocabularySize: two.target.vocabularySize };
    const model = build(config);
    await run({ model, tokenizers: two, steps: 80 });
    const loaded = decodeTranslator(await encodeTranslator({ model, tokenizers: two }));
    expect(loaded.tokenizers.target.encode('the old cat')).toEqual(two.target.encode('the old cat'));
    const [found] = await translate({ ...loaded, texts: ['le chat vieux dort'] });
    expect(found!.text).toBe('the old cat sleeps');
    model.dispose();
    loaded.model.dispose();
  });

  it('refuses what does not fit, and changes nothing', async () => {
    const model = build();
    const before = weights(model);
    const wrong: [Partial<TrainTranslatorOptions>, string | RegExp][] = [
      [{ pairs: [] }, 'there must be at least one pair of sentences, got none'],
      [{ maximumLength: 2 }, 'all longer than 2 tokens'],
      [{ labelSmoothing: 2 }, 'labelSmoothing'],
      [{ learningRate: 0 }, 'learningRate'],
      [{ schedule: 'linear' as never }, /unknown schedule.*cosine/],
      [{ clipNorm: -1 }, 'clipNorm'],
      [
        { tokenizers: trainTokenizers({ pairs: pairs.slice(1, 2), type: 'word' }) },
        "source tokenizer must be the model's",
      ],
    ];
    for (const [options, message] of wrong) {
      await expect(run({ model, steps: 4, ...options }), String(message)).rejects.toThrow(message);
      await expect(run({ model, steps: 4, ...options })).rejects.toThrow(ArgumentError);
    }
    expect(weights(model)).toEqual(before);
    const { source } = tokenizers;
    expect(() => build({ size: 15 })).toThrow('size / 2');
    expect(() => build({ targetVocabularySize: 7, tying: 'all' })).toThrow("tying 'all' needs one vocabulary");
    expect(() => createTranslator({ architecture: 'cnn' as never, vocabularySize })).toThrow(
      "'transformer' | 'recurrent'",
    );
    expect(() => trainTokenizers({ pairs: [] })).toThrow('at least one pair');
    await expect(translate({ model, tokenizers, texts: ['le'], beamSize: 0 })).rejects.toThrow('beamSize');
    const bytes = await encodeTranslator({ model, tokenizers: { source, target: source } });
    const tensors = tf.memory().numTensors;
    expect(() => decodeTranslator(bytes.subarray(0, bytes.length - 9))).toThrow(FormatError);
    expect(tf.memory().numTensors).toBe(tensors);
    model.dispose();
  });

  it('stops between two steps', async () => {
    const model = build();
    const controller = new AbortController();
    const events: FitEvent[] = [];
    for await (const event of trainTranslator({ ...training, model, steps: 100, signal: controller.signal })) {
      events.push(event);
      if (event.event === 'step' && event.step === 2) controller.abort();
    }
    expect(events.at(-1)).toMatchObject({ event: 'stopped', step: 2 });
    model.dispose();
  });
});
