import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng, summary } from '@ostinato/core';
import {
  type CaptionedPicture,
  Captioner,
  type CaptionerConfig,
  type CaptionerTrainingOptions,
  evaluate,
  mostFrequentCaption,
  nearestNeighbourCaptions,
  pictureValues,
  scoreCaptions,
  trainCaptioner,
  trainCaptionTokenizer,
} from '@ostinato/tasks/captioning';
import { readPictureFolder } from '@ostinato/tasks/captioning/node';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark, Figures, Report } from './report.ts';

interface Setting {
  readonly config: Omit<CaptionerConfig, 'vocabularySize'>;
  readonly training: CaptionerTrainingOptions;
}

const side = 64;
const shared: CaptionerTrainingOptions = { steps: 1500, learningRate: 2e-3, shift: 6, averageDecay: 0.99, seed: 1 };
const forStamps: Record<string, Setting> = {
  'convolution, transformer': { config: {}, training: shared },
  'patches, transformer': { config: { encoder: 'patches' }, training: shared },
  'convolution, recurrent': { config: { decoder: 'recurrent', decoderLayers: 1 }, training: shared },
};
const still: CaptionerTrainingOptions = { ...shared, steps: 3000, learningRate: 1e-3, shift: 0 };
const forEmoji: Record<string, Setting> = {
  'emoji: large patches, transformer': {
    config: { side: 32, encoder: 'patches', patchSize: 16, dropout: 0.1 },
    training: still,
  },
  'emoji: convolution, transformer': {
    config: { side: 32, dropout: 0.1 },
    training: { ...still, learningRate: 2e-3 },
  },
};

/** A hash of a name, which puts it into a part whatever other names there are. */
const share = (name: string): number => createHash('sha256').update(name).digest().readUInt32BE(0) / 2 ** 32;

function readStamps(folder: string): CaptionedPicture[] {
  const pixels = readFileSync(join(folder, 'images-64x64-rgb.u8.bin'));
  const rows = readFileSync(join(folder, 'captions.tsv'), 'utf8').trim().split('\n').slice(1);
  return rows.map((row, i) => {
    const data = pixels.subarray(i * 3 * side * side, (i + 1) * 3 * side * side);
    return {
      values: pictureValues({ width: side, height: side, data }, side),
      captions: [row.split('\t')[1]!.trim()],
    };
  });
}

/**
 * Captions of the stamps of Tux Paint, 64×64 pixels, and of the emoji that come with the command line, 32×32. A name (the caption in
 * lower case) is in one part only: by a hash of it, 20 % of the names are for testing, 10 % for validation, which chooses the weights.
 * Against the caption of the nearest known picture in pixels, and the most frequent caption, by CIDEr-D and BLEU with a beam of 5.
 * CAPTIONING_ONLY: one of the settings.
 */
export const captioning: Benchmark = async (report, { quick }) => {
  await tf.setBackend('ostinato-cpu');
  const figures: Figures = { kernels: kernelInfo() as unknown as Record<string, unknown> };
  const folder = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'tuxpaint-stamps');
  if (existsSync(folder)) {
    figures['stamps'] = await measure(report, readStamps(folder), { settings: forStamps, quick });
  } else report(`no ${folder}; OSTINATO_DATA names the folder of the data`);
  const emoji = await readPictureFolder(fileURLToPath(new URL('../apps/cli/data/emoji', import.meta.url)), {
    side: 32,
  });
  figures['emoji'] = await measure(report, emoji, { settings: forEmoji, quick });
  return figures;
};

async function measure(
  report: Report,
  all: readonly CaptionedPicture[],
  { settings, quick }: { readonly settings: Record<string, Setting>; readonly quick: boolean },
): Promise<Figures> {
  const shares = all.map(({ captions }) => share(captions[0]!.toLowerCase()));
  const test = all.filter((_, i) => shares[i]! < 0.2);
  const validation = all.filter((_, i) => shares[i]! >= 0.2 && shares[i]! < 0.3);
  const examples = all.filter((_, i) => shares[i]! >= 0.3);
  const references = test.map(({ captions }) => captions);
  const known = [...examples, ...validation];
  const neighbours = scoreCaptions(
    nearestNeighbourCaptions(
      test.map(({ values }) => values),
      known,
    ),
    references,
  );
  const frequent = mostFrequentCaption(known);
  const always = scoreCaptions(
    test.map(() => frequent),
    references,
  );
  const figures: Figures = {
    parts: { training: examples.length, validation: validation.length, test: test.length },
    nearestNeighbour: { cider: neighbours.cider, bleu: neighbours.bleu.score },
    mostFrequent: { caption: frequent, cider: always.cider, bleu: always.bleu.score },
  };
  report(`nearest neighbour: CIDEr-D ${neighbours.cider.toFixed(3)}, BLEU ${neighbours.bleu.score.toFixed(2)}`);
  report(`'${frequent}': CIDEr-D ${always.cider.toFixed(3)}, BLEU ${always.bleu.score.toFixed(2)}`);
  const tokenizer = trainCaptionTokenizer(examples.flatMap(({ captions }) => captions));
  for (const [name, { config, training }] of Object.entries(settings)) {
    if (process.env['CAPTIONING_ONLY'] !== undefined && process.env['CAPTIONING_ONLY'] !== name) continue;
    const options = {
      ...training,
      ...JSON.parse(process.env['CAPTIONING_OPTIONS'] ?? '{}'),
      ...(quick ? { steps: 10 } : {}),
    };
    const model = new Captioner({ ...config, vocabularySize: tokenizer.vocabularySize, rng: new Rng(1) });
    const start = performance.now();
    const curve: Record<string, unknown> = {};
    for await (const event of trainCaptioner({
      ...options,
      model,
      tokenizer,
      examples,
      validation,
      validateEvery: 150,
    })) {
      if (event.event !== 'validation') continue;
      curve[event.step] = event.metrics;
      report(`${name}, step ${event.step}: ${JSON.stringify(event.metrics)}`);
    }
    const minutes = (performance.now() - start) / 60_000;
    const { cider, bleu, chrf, captions } = await evaluate({ model, tokenizer, examples: test });
    report(`${name}: CIDEr-D ${cider.toFixed(3)}, BLEU ${bleu.score.toFixed(2)}, ${minutes.toFixed(1)} min`);
    const size = summary(model).total;
    const samples = captions.slice(0, 8).map(({ text }, i) => `${text} (${references[i]![0]})`);
    figures[name] = {
      parameters: size,
      minutes,
      cider,
      bleu: bleu.score,
      chrf,
      signature: bleu.signature,
      samples,
      curve,
      config,
      training: options,
    };
    model.dispose();
  }
  return figures;
}
