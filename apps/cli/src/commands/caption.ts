import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { pictureAttention, pictureAttentionText } from '@ostinato/insight';
import { type Caption, caption, type PictureValues, pictureValues } from '@ostinato/tasks/captioning';
import { loadCaptioner, readPicture } from '@ostinato/tasks/captioning/node';
import type { Command } from 'commander';
import sharp from 'sharp';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { createOutput, type Output } from '../output.ts';
import { decimal, integer } from '../parse.ts';
import { findCheckpoint } from '../run-folder.ts';
import { readTexts } from '../text-data.ts';

interface CaptionCommandOptions extends CommonOptions {
  readonly model: string;
  readonly file?: string;
  readonly beam: number;
  readonly lengthPenalty: number;
  readonly count: number;
  readonly attention: boolean;
  readonly svg?: string;
}

/** Pictures that are captioned before the first of them is printed. */
const portion = 32;

/** `ostinato caption`: pictures into words. */
export function addCaption(root: Command): void {
  withCommonOptions(root.command('caption'))
    .description('say what pictures show, with the model of a run of `train captioning`')
    .argument('[pictures...]', 'files; without any, the paths in --file or of standard input')
    .requiredOption('--model <path>', 'a run folder or a model file (required)')
    .option('--file <path>', 'paths of pictures, one a line; - is standard input')
    .option('--beam <count>', 'hypotheses that stay in the race; 1 is greedy', integer({ min: 1, max: 100 }), 5)
    .option('--length-penalty <alpha>', 'scores are divided by length to this power', decimal({ min: 0 }), 0.5)
    .option('--count <number>', 'captions of each picture, at most --beam', integer({ min: 1, max: 100 }), 1)
    .option('--attention', 'show where in the picture each word looked', false)
    .option('--svg <file>', 'draws that for the first picture')
    .addHelpText(
      'after',
      `
Examples:
  ostinato caption --model runs/captioning cat.png --attention
  ostinato caption --model runs/captioning photos/*.jpg --count 3 --json
  ostinato caption --model runs/captioning cat.png --svg cat.svg`,
    )
    .action(async (pictures: string[], options: CaptionCommandOptions) =>
      runCaption(createOutput(options), pictures, options),
    );
}

async function runCaption(output: Output, given: readonly string[], options: CaptionCommandOptions): Promise<void> {
  const path = findCheckpoint('--model', options.model);
  const { beam: beamSize, count, svg } = options;
  if (count > beamSize) throw badInput('--count', 'must be at most --beam', `${count} and ${beamSize}`);
  const files = (await readTexts('pictures', given, options.file)).map(({ text }) => text);
  const missing = files.find(file => !existsSync(file.replace(/#xywh=.*$/, '')));
  if (missing !== undefined) throw badInput('pictures', 'no such file', `'${missing}'`, 'Check the path.');
  await startEngine(output, options);
  const { model, tokenizer } = await loadCaptioner(path);
  const { side } = model.config;
  const interrupt = listenForInterrupt(() => undefined);
  try {
    output.line();
    for (let first = 0; first < files.length; first += portion) {
      const part = files.slice(first, first + portion);
      const pictures: PictureValues[] = [];
      for (const file of part) {
        pictures.push(pictureValues(await readPicture(file, { longest: Math.max(512, 4 * side) }), side));
      }
      const found = await caption({
        ...{ model, tokenizer, pictures, beamSize, count, signal: interrupt.signal },
        lengthPenalty: { kind: 'average', alpha: options.lengthPenalty },
        attention: options.attention || (svg !== undefined && first === 0),
      });
      for (const [i, one] of found.entries()) {
        show(output, part[i]!, one, { ...options, several: files.length > 1 });
        if (first + i === 0 && svg !== undefined) await draw(output, svg, pictures[0]!, side, one);
      }
    }
    output.event({ event: 'result', pictures: files.length });
  } finally {
    interrupt.release();
  }
}

function show(
  output: Output,
  file: string,
  { text, alternatives, attention, logProbability, finished }: Caption,
  options: CaptionCommandOptions & { readonly several: boolean },
): void {
  output.event({
    ...{ event: 'caption', file, caption: text, logProbability, finished },
    ...(options.count > 1 ? { alternatives } : {}),
    ...(options.attention && attention ? { attention } : {}),
  });
  for (const one of alternatives) {
    const score = options.count > 1 ? `${one.score.toFixed(3).padStart(8)}  ` : '';
    output.line(`${options.several ? `${file}\t` : ''}${score}${one.text}`);
  }
  if (options.attention && attention) output.line(`\n${pictureAttentionText(attention)}\n`);
}

async function draw(
  output: Output,
  file: string,
  values: PictureValues,
  side: number,
  { text, attention }: Caption,
): Promise<void> {
  const pixels = Buffer.from(Uint8Array.from(values, value => Math.round(255 * value)));
  const png = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
  const picture = `data:image/png;base64,${png.toString('base64')}`;
  await writeFile(file, pictureAttention({ ...attention!, picture, title: text }));
  output.event({ event: 'figure', path: file });
}
