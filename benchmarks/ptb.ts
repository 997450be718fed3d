import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng, summary } from '@ostinato/core';
import {
  createLanguageModel,
  evaluate,
  KneserNey,
  type LanguageModelConfig,
  type LanguageModelTrainingOptions,
  trainLanguageModel,
} from '@ostinato/tasks/language-modeling';
import { WordTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark, Figures } from './report.ts';

interface Setting {
  readonly config: (vocabularySize: number) => LanguageModelConfig;
  readonly training: LanguageModelTrainingOptions;
}

const schedule = { schedule: 'cosine', warmup: 100, seed: 1 } as const;
const settings: Record<string, Setting> = {
  LSTM: {
    config: vocabularySize => ({
      ...{ architecture: 'lstm', embeddingSize: 200, hiddenSize: 200, dropout: 0.65, tied: true, vocabularySize },
    }),
    training: {
      ...{ ...schedule, steps: 1800, batches: 'streams', batchSize: 20, windowLength: 35 },
      ...{ learningRate: 2e-3, weightDecay: 1 },
    },
  },
  GPT: {
    config: vocabularySize => ({
      ...{ architecture: 'gpt', contextLength: 64, hiddenSize: 128, numLayers: 3, numHeads: 4, dropout: 0.4 },
      vocabularySize,
    }),
    training: { ...schedule, steps: 2400, batches: 'windows', batchSize: 16, learningRate: 1e-3, weightDecay: 0.1 },
  },
};

/**
 * Words of the Penn Treebank, in a small setting: the first nine tenths of the sentences of its validation part are for training, the last
 * tenth for development, which chooses the step; the perplexity is that of the test part. The vocabulary is every word of the training
 * sentences; others are `<unk>`, as in the text itself. A line ends with a token of its own. Beside an interpolated Kneser–Ney 5-gram of
 * the same sentences. PTB_ONLY: one of the models.
 */
export const ptb: Benchmark = async (report, { quick }) => {
  const folder = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'ptb');
  if (!existsSync(folder)) return { skipped: `no ${folder}; OSTINATO_DATA names the folder of the data` };
  const lines = (part: string): string[] =>
    readFileSync(join(folder, `ptb.${part}.txt`), 'utf8')
      .split('\n')
      .map(line => line.trim())
      .filter(line => line !== '');
  const all = lines('valid');
  const border = Math.floor(0.9 * all.length);
  const tokenizer = WordTokenizer.train(all.slice(0, border), {
    specialTokens: { unknown: '<unk>', end: '</s>' },
  });
  const idsOf = (sentences: readonly string[]): Int32Array =>
    Int32Array.from(sentences.flatMap(sentence => [...tokenizer.encode(sentence, { addEnd: true })]));
  const [tokens, development, test] = [idsOf(all.slice(0, border)), idsOf(all.slice(border)), idsOf(lines('test'))];
  const { vocabularySize } = tokenizer;
  const count = (ids: Int32Array): number => ids.reduce((sum, id) => sum + Number(id === tokenizer.unknownId), 0);
  const counting = new KneserNey({ tokens, vocabularySize, order: 5 });
  const counted = counting.evaluate(test).perplexity;
  const figures: Figures = {
    kernels: kernelInfo() as unknown as Record<string, unknown>,
    tokens: { training: tokens.length, development: development.length, test: test.length },
    vocabularySize,
    unknownOfTest: count(test) / test.length,
    kneserNey5: {
      developmentPerplexity: counting.evaluate(development).perplexity,
      testPerplexity: counted,
    },
  };
  report(`Kneser–Ney 5-gram: ${counted.toFixed(1)} on test`);
  await tf.setBackend('ostinato-cpu');
  for (const [name, { config: configOf, training }] of Object.entries(settings)) {
    if (process.env['PTB_ONLY'] !== undefined && process.env['PTB_ONLY'] !== name) continue;
    const options = { ...training, ...(quick ? { steps: 20 } : {}) };
    const config = configOf(vocabularySize);
    const rng = new Rng(1).split('model');
    const model = createLanguageModel({ ...config, rng });
    const validateEvery = Math.ceil(options.steps / 12);
    const curve: Record<string, number> = {};
    let best = { step: 0, developmentPerplexity: Infinity, testPerplexity: Infinity };
    let seconds = 0;
    let since = performance.now();
    for await (const event of trainLanguageModel({
      ...options,
      model,
      tokens,
      validation: development,
      validateEvery,
    })) {
      if (event.event !== 'validation') continue;
      seconds += (performance.now() - since) / 1000;
      const stride = config.architecture === 'gpt' ? { stride: 8 } : {};
      const { perplexity: developmentPerplexity } = await evaluate(model, development, stride);
      curve[event.step] = developmentPerplexity;
      if (developmentPerplexity < best.developmentPerplexity) {
        const { perplexity: testPerplexity } = await evaluate(model, test, stride);
        best = { step: event.step, developmentPerplexity, testPerplexity };
      }
      report(`${name}, step ${event.step}: ${developmentPerplexity.toFixed(1)}, ${seconds.toFixed(0)} s`);
      since = performance.now();
    }
    report(`${name}: ${best.testPerplexity.toFixed(1)} on test, step ${best.step}`);
    const size = summary(model).total;
    figures[name] = { parameters: size, seconds, ...best, curve, config, training: options };
    model.dispose();
  }
  return figures;
};
