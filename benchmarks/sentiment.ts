import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng, summary } from '@ostinato/core';
import { readLabelled, readTextStream } from '@ostinato/data/node';
import { readVectors } from '@ostinato/embeddings';
import {
  evaluate,
  type LabelledText,
  labelsOf,
  TextClassifier,
  type TextClassifierConfig,
  type TextClassifierTrainingOptions,
  tellingWords,
  trainTextClassifier,
} from '@ostinato/tasks/sentiment';
import { WordTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark, Figures } from './report.ts';

interface Setting {
  readonly model: Omit<TextClassifierConfig, 'vocabularySize' | 'labels'>;
  readonly training: Omit<TextClassifierTrainingOptions, 'seed'>;
  /** Whether the words start from the vectors of SENTIMENT_VECTORS. */
  readonly pretrained?: boolean;
}

const shared = { dropout: 0.5, embeddingDropout: 0.5, wordDropout: 0.3, pooling: ['max'] } as const;
const schedule = { epochs: 12, schedule: 'cosine', averageDecay: 0.99 } as const;
const settings: Record<string, Setting> = {
  bilstm: {
    model: { encoder: 'lstm', embeddingSize: 100, hiddenSize: 150, ...shared },
    training: { ...schedule, weightDecay: 0.1 },
  },
  'bilstm, 2 layers': {
    model: { encoder: 'lstm', embeddingSize: 300, hiddenSize: 150, numLayers: 2, ...shared },
    training: { ...schedule, weightDecay: 0.3, labelSmoothing: 0.1 },
  },
  'bilstm, 2 layers, GloVe': {
    model: {
      ...{ encoder: 'lstm', embeddingSize: 100, hiddenSize: 150, numLayers: 2, ...shared },
      ...{ wordDropout: 0.1, embeddingDropout: 0.4 },
    },
    training: { ...schedule, epochs: 8, weightDecay: 0.3, labelSmoothing: 0.1 },
    pretrained: true,
  },
  convolution: {
    model: { encoder: 'convolution', embeddingSize: 300, hiddenSize: 100, kernelSizes: [3, 4, 5], ...shared },
    training: { ...schedule, epochs: 8, weightDecay: 1, labelSmoothing: 0.1 },
  },
  bag: {
    model: { encoder: 'bag', embeddingSize: 300, ...shared, pooling: ['mean', 'max'] },
    training: { ...schedule, epochs: 8, learningRate: 2e-3, weightDecay: 1 },
  },
};

/**
 * Positive or negative, on the Stanford Sentiment Treebank: trained on the 6,920 sentences of the training part alone (no labels of
 * phrases), measured on the 872 of the development part. The weights are those of the best of two validations an epoch on that same
 * part, so the figures lean to the high side by as much as such a choice does. All start from random vectors, and words that occur once
 * are unknown, but `GloVe`: it starts from the vectors of SENTIMENT_VECTORS, a file as `pretrained-vectors.ts` makes it (Pennington et
 * al. 2014, EMNLP); every word is known, and starts from zero where the file lacks it. SENTIMENT_MODELS names architectures with `;`
 * between; default: all.
 */
export const sentiment: Benchmark = async (report, { quick }) => {
  const folder = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'sst');
  if (!existsSync(folder)) return { skipped: `no ${folder}; OSTINATO_DATA names the folder of the data` };
  await tf.setBackend('ostinato-cpu');
  const read = async (part: string): Promise<LabelledText[]> => {
    const names: Record<string, string> = { 0: 'negative', 1: 'positive' };
    const all: LabelledText[] = [];
    for await (const { label, text } of readLabelled(join(folder, `stsa.binary.${part}`))) {
      all.push({ label: names[label]!, text });
    }
    return all;
  };
  const [training, held] = [await read('train'), await read('dev')];
  const chosen = process.env['SENTIMENT_MODELS']?.split(';') ?? Object.keys(settings);
  const figures: Figures = {
    kernels: kernelInfo() as unknown as Record<string, unknown>,
    trainingSentences: training.length,
    heldSentences: held.length,
  };
  const vectors = process.env['SENTIMENT_VECTORS'];
  for (const name of chosen) {
    const setting = settings[name];
    if (!setting) throw new Error(`SENTIMENT_MODELS are of ${Object.keys(settings).join('; ')}, got '${name}'`);
    if (setting.pretrained && vectors === undefined) {
      report(`${name}: skipped, SENTIMENT_VECTORS names no file of vectors`);
      continue;
    }
    const runs: Awaited<ReturnType<typeof measure>>[] = [];
    for (const seed of quick ? [1] : [1, 2, 3]) {
      const run = await measure(setting, { training, held, seed, quick, vectors });
      runs.push(run);
      report(`${name}, seed ${seed}: ${(100 * run.accuracy).toFixed(2)} %, ${run.seconds.toFixed(0)} s`);
      report(`  ${run.curve.join(' ')}`);
    }
    const accuracy = runs.reduce((sum, run) => sum + run.accuracy, 0) / runs.length;
    report(`${name}: ${(100 * accuracy).toFixed(2)} %`);
    for (const [label, words] of Object.entries(runs[0]!.telling)) report(`  ${label}: ${words.join(', ')}`);
    figures[name] = { accuracy, setting, runs };
  }
  return figures;
};

async function measure(
  { model: shape, training: options, pretrained = false }: Setting,
  {
    training,
    held,
    seed,
    quick,
    vectors: file,
  }: {
    readonly training: readonly LabelledText[];
    readonly held: readonly LabelledText[];
    readonly seed: number;
    readonly quick: boolean;
    readonly vectors: string | undefined;
  },
) {
  const texts = training.map(({ text }) => text);
  const tokenizer = WordTokenizer.train(texts, { minimumFrequency: pretrained ? 1 : 2 });
  const labels = labelsOf(training);
  const { vocabulary, vocabularySize } = tokenizer;
  const rng = new Rng(seed).split('model');
  const found = pretrained && file !== undefined ? await readVectors(readTextStream(file), { vocabulary }) : undefined;
  const model = new TextClassifier({ ...shape, vocabularySize, labels, rng, vectors: found?.initializer });
  const begin = performance.now();
  const curve: string[] = [];
  const run = trainTextClassifier({
    ...{ ...options, ...(quick ? { epochs: 1 } : {}), model, tokenizer, examples: training, validation: held, seed },
    validateEvery: 108,
  });
  for await (const event of run) {
    if (event.event === 'validation') curve.push((100 * event.metrics['accuracy']!).toFixed(1));
    if (event.event === 'stopped' && event.reason !== 'steps') throw new Error(event.reason);
  }
  const seconds = (performance.now() - begin) / 1000;
  const { accuracy, macro, perClass, confusion, nats } = await evaluate({ model, tokenizer, examples: held });
  const said = await tellingWords({ model, tokenizer, texts: held.map(({ text }) => text), count: 15 });
  const telling = Object.fromEntries(
    Object.entries(said).map(([label, words]) => [label, words.map(({ token }) => token)]),
  );
  const size = summary(model).total;
  model.dispose();
  const scores = Object.fromEntries(labels.map((label, i) => [label, perClass[i]!]));
  return {
    seed,
    vectorsFound: found?.found ?? 0,
    accuracy,
    macroF1: macro.f1,
    nats,
    scores,
    confusion,
    telling,
    parameters: size,
    seconds,
    curve,
  };
}
