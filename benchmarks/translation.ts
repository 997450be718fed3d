import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng, summary } from '@ostinato/core';
import { readPairs } from '@ostinato/data/node';
import {
  createTranslator,
  describeTranslator,
  evaluate,
  type RecurrentTranslatorConfig,
  type SentencePair,
  type TransformerTranslatorConfig,
  type TranslatorConfig,
  type TranslatorTrainingOptions,
  trainTokenizers,
  trainTranslator,
} from '@ostinato/tasks/translation';
import { saveTranslator } from '@ostinato/tasks/translation/node';
import { loadCheckpoint, saveCheckpoint } from '@ostinato/training/node';
import { writeFileAtomic } from '@ostinato/weights/node';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark } from './report.ts';

interface Setting {
  readonly vocabularySize: number;
  readonly model:
    | Omit<TransformerTranslatorConfig, 'vocabularySize'>
    | Omit<RecurrentTranslatorConfig, 'vocabularySize'>;
  readonly training: TranslatorTrainingOptions;
}

/** The tiny transformer of Wu et al. 2021 (arXiv:2105.14462) for this corpus; a GRU with the attention of Bahdanau et al. 2015. */
const settings: Record<string, Setting> = {
  transformer: {
    vocabularySize: 6000,
    model: { size: 128, feedForwardSize: 256, numHeads: 4, encoderLayers: 4, decoderLayers: 4, dropout: 0.3 },
    training: { steps: 10_000, maximumTokens: 4096, learningRate: 3e-3, warmup: 1000, averageDecay: 0.999 },
  },
  recurrent: {
    vocabularySize: 6000,
    model: { architecture: 'recurrent', embeddingSize: 256, hiddenSize: 256, dropout: 0.4 },
    training: { steps: 4500, maximumTokens: 4096, learningRate: 2e-3, warmup: 300, averageDecay: 0.999 },
  },
};

/** What is kept beside a checkpoint. */
interface Progress {
  readonly seconds: number;
  readonly curve: Record<string, Record<string, number>>;
}

/**
 * German to English on the captions of Multi30k, lower case, one vocabulary of byte pairs for both: BLEU on test2016 with a beam of 5.
 * TRANSLATION_ARCHITECTURE is `transformer` (default) or `recurrent`; TRANSLATION_OPTIONS, in JSON, replaces options of training. With
 * TRANSLATION_RUN, a folder, the run is saved there, goes on from there, and leaves its model there.
 */
export const translation: Benchmark = async (report, { quick }) => {
  const folder = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'multi30k');
  if (!existsSync(folder)) return { skipped: `no ${folder}; OSTINATO_DATA names the folder of the data` };
  const architecture = process.env['TRANSLATION_ARCHITECTURE'] ?? 'transformer';
  const run = process.env['TRANSLATION_RUN'];
  const setting = settings[architecture];
  if (!setting)
    throw new Error(`TRANSLATION_ARCHITECTURE is ${Object.keys(settings).join(' or ')}, got '${architecture}'`);
  const options = {
    ...setting.training,
    ...JSON.parse(process.env['TRANSLATION_OPTIONS'] ?? '{}'),
    ...(quick ? { steps: 20 } : {}),
  };
  await tf.setBackend('ostinato-cpu');
  const read = async (part: string): Promise<SentencePair[]> => {
    const all: SentencePair[] = [];
    for await (const pair of readPairs(join(folder, `${part}.de`), join(folder, `${part}.en`))) all.push(pair);
    return all;
  };
  const pairs = await read('train');
  const validation = (await read('val')).slice(0, quick ? 20 : undefined);
  const unseen = (await read('test_2016_flickr')).slice(0, quick ? 20 : undefined);
  const tokenizers = trainTokenizers({ pairs, vocabularySize: setting.vocabularySize, lowercase: true });
  const { vocabularySize } = tokenizers.source;
  const model = createTranslator({ ...setting.model, vocabularySize, rng: new Rng(1) } as TranslatorConfig & {
    rng: Rng;
  });
  const size = summary(model).total;
  report(`${architecture}: ${(size / 1e6).toFixed(2)} million parameters, ${vocabularySize} tokens`);

  if (run) await mkdir(run, { recursive: true });
  const file = run && join(run, `${architecture}.safetensors`);
  const resume = file && existsSync(file) ? await loadCheckpoint(file) : null;
  const before: Progress = resume ? JSON.parse(await readFile(`${file}.json`, 'utf8')) : { seconds: 0, curve: {} };
  const curve = { ...before.curve };
  const begin = performance.now();
  const seconds = (): number => before.seconds + (performance.now() - begin) / 1000;
  const save = async (checkpoint: Parameters<typeof saveCheckpoint>[1]): Promise<void> => {
    await saveCheckpoint(file!, checkpoint);
    await writeFileAtomic(`${file}.json`, new TextEncoder().encode(JSON.stringify({ seconds: seconds(), curve })));
  };
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const events = trainTranslator({
    ...{
      ...options,
      model,
      tokenizers,
      pairs,
      validation,
      validateEvery: quick ? 10 : 500,
      seed: 1,
      signal: stop.signal,
    },
    ...{ bleu: { lowercase: true }, description: describeTranslator({ model, tokenizers }), resume },
    ...(file ? { checkpoint: { every: 500, save } } : {}),
  });
  let step = 0;
  for await (const event of events) {
    step = event.step;
    if (event.event === 'step' && step % 50 === 0) {
      const rate = event.tokensPerSecond?.toFixed(0);
      report(`step ${step}: ${event.loss.toFixed(3)}, ${rate} tokens/s, ${seconds().toFixed(0)} s`);
    } else if (event.event === 'validation') {
      curve[step] = { ...event.metrics, minutes: Number((seconds() / 60).toFixed(1)) };
      report(`step ${step}: ${JSON.stringify(curve[step])}`);
    } else if (event.event === 'stopped') report(`stopped: ${event.reason}`);
  }
  const minutes = seconds() / 60;
  if (run) await saveTranslator(join(run, `${architecture}-model.safetensors`), { model, tokenizers });
  const { bleu, nats, translations } = await evaluate({ model, tokenizers, pairs: unseen, bleu: { lowercase: true } });
  report(`BLEU ${bleu.score.toFixed(2)} ${bleu.signature}`);
  const samples = translations.slice(0, 5).map(({ text }, i) => ({ ...unseen[i]!, translation: text }));
  for (const { source, translation: text } of samples) report(`${source} → ${text}`);
  const config = { ...model.config } as Record<string, unknown>;
  model.dispose();
  return {
    ...{
      kernels: kernelInfo() as unknown as Record<string, unknown>,
      architecture,
      parameters: size,
      steps: step,
      minutes,
    },
    ...{
      test2016Bleu: bleu.score,
      signature: bleu.signature,
      nats,
      beamSize: 5,
      config,
      training: options,
      curve,
      samples: { ...samples },
    },
  };
};
