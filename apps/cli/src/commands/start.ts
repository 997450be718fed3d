import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Rng } from '@ostinato/core';
import type { Command } from 'commander';
import { type CommonOptions, programName, startEngine, withCommonOptions } from '../common.ts';
import { tunePieces } from '../corpus.ts';
import { lossPlot } from '../loss-plot.ts';
import { createOutput, type Output } from '../output.ts';
import { decimal, integer } from '../parse.ts';
import { freshFolder } from '../run-folder.ts';
import { sampleTexts } from '../sample.ts';
import { freshSession, resumedSession } from '../session.ts';
import { readInput } from '../text-input.ts';
import { givenOptions } from '../train-options.ts';
import type { RunResult, Session } from '../training-run.ts';
import { asTunes, shareOfValid, writeTunes } from '../tune-files.ts';
import { describe, ending, lastOf, reportInterruption, reportNothingLeft, trainUntilStopped } from './train.ts';

interface StartOptions extends CommonOptions {
  readonly seconds: number;
  readonly steps: number;
  readonly seed: number;
  readonly resume?: string;
}

/** A network that is small enough to learn the form of a tune in two minutes on two cores. */
const recipe = {
  architecture: 'lstm',
  hidden: 256,
  embedding: 64,
  layers: 1,
  heads: 4,
  dropout: 0.4,
  tied: false,
  batch: 16,
  length: 64,
  batches: 'windows',
  learningRate: 5e-3,
  schedule: 'cosine',
  finalRate: 0.05,
  warmup: 0,
  beta2: 0.999,
  weightDecay: 0,
  clipNorm: 1,
  validation: 0.1,
  level: 'character',
  logEvery: 10,
  validateEvery: 50,
  checkpointEvery: 50,
  sampleEvery: 150,
} as const;

const newTunes = 6;

/** The folder of the new tunes in that of the run. */
const tunesFolder = 'tunes';

/** `ostinato start`: trains on the tunes that come along and writes new ones. */
export function addStart(root: Command): void {
  withCommonOptions(root.command('start'))
    .description('train on the tunes that come along, and write new ones, in about three minutes at most')
    .option('--seconds <limit>', 'longest time to train', decimal({ above: 0 }), 150)
    .option('--steps <count>', 'most steps', integer({ min: 1 }), 450)
    .option('--seed <number>', 'of everything random', integer({ min: 0 }), 7)
    .option('--resume <folder>', 'go on with an interrupted start')
    .addHelpText('after', '\nExamples:\n  ostinato start\n  ostinato start --seconds 30 --json')
    .action(async (options: StartOptions, command: Command) =>
      start(createOutput(options), options, givenOptions(command)),
    );
}

async function start(output: Output, options: StartOptions, given: Set<string>): Promise<void> {
  const { seconds, resume } = options;
  const command = given.has('seconds') ? `start --seconds ${seconds}` : 'start';
  given.delete('seconds'); // the run does not remember it
  const prepared =
    resume === undefined
      ? await freshSession('music', { ...recipe, ...options, out: freshFolder('start').path })
      : await resumedSession('music', { ...recipe, ...options }, given);
  await startEngine(output, options);
  const session = await prepared.open();
  describe(output, session);
  const isDone = reportNothingLeft(output, session);
  if (isDone && existsSync(join(session.folder.path, tunesFolder))) {
    return output.event({ event: 'result', step: session.checkpoint!.step, folder: session.folder.path, files: [] });
  }
  const result = await trainUntilStopped(output, session, seconds);
  if (result.reason === 'interrupted') return reportInterruption(output, session, result, command);
  await writeNewTunes(output, session, result);
}

async function writeNewTunes(output: Output, session: Session, result: RunResult): Promise<void> {
  const { record, folder } = session;
  const { step, log } = result;
  output.line(`\n${ending(result)}; writing ${newTunes} new tunes …`);
  const rng = new Rng(record.seed).split('tunes');
  const { prompt } = record;
  const texts = await sampleTexts(session, { task: 'music', prompt, count: newTunes, rng, temperature: 0.7 });
  const tunes = asTunes(texts);
  const place = freshFolder(tunesFolder, folder.path).path; // not over those of a run that now goes on further
  await mkdir(place, { recursive: true });
  const files = { abc: join(place, 'tunes.abc'), midi: join(place, 'tune.mid'), html: join(place, 'tunes.html') };
  const learned = tunePieces(await readInput('--data', record.data.path));
  const { written, left } = await writeTunes(tunes, files, {
    title: 'New tunes',
    introduction: `Written by a network after ${step} steps of training on ${learned.length} traditional tunes.`,
    lossCurveSvg: await lossPlot(log, 'Loss while training'),
    learned,
  });
  output.event({
    event: 'result',
    step,
    loss: lastOf(result, 'loss'),
    validationLoss: lastOf(result, 'validationLoss'),
    validTunes: shareOfValid(tunes),
    folder: folder.path,
    files: [folder.checkpoint, folder.lossCurve, ...written],
  });
  output.line(`\n${tunes[0]!.abc.replaceAll(/^/gm, '    ')}\n`);
  for (const line of left) output.line(line);
  const name = basename(place);
  output.line(`kept in ${folder.path}:`);
  output.line(`    ${name}/tunes.html        open it in a browser: scores, sound, the loss curve`);
  output.line(`    ${name}/tunes.abc, *.mid  the same tunes to keep`);
  output.line(`    checkpoint.safetensors, loss.svg, log.jsonl`);
  output.line(`\nNext:\n    ${programName} generate --model ${folder.path} --count 3`);
  output.line(`    ${programName} train music --resume ${folder.path} --steps ${record.training.steps * 2}\n`);
}
