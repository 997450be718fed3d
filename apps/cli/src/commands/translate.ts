import { writeFile } from 'node:fs/promises';
import { heatmap, heatmapText } from '@ostinato/insight';
import { meanAttention, type Translation, translate } from '@ostinato/tasks/translation';
import { loadTranslator } from '@ostinato/tasks/translation/node';
import type { Command } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { createOutput, type Output, withoutLines } from '../output.ts';
import { decimal, integer } from '../parse.ts';
import { findCheckpoint } from '../run-folder.ts';
import { readLines } from '../text-data.ts';

interface TranslateCommandOptions extends CommonOptions {
  readonly model: string;
  readonly file?: string;
  readonly beam: number;
  readonly lengthPenalty: number;
  readonly count: number;
  readonly noRepeat?: number;
  readonly attention: boolean;
  readonly svg?: string;
}

/** Texts that are translated before the first of them is printed. */
const portion = 64;

/** `ostinato translate`: sentences into sentences. */
export function addTranslate(root: Command): void {
  withCommonOptions(root.command('translate'))
    .description('translate, with the model of a run of `train translation`')
    .argument('[texts...]', 'sentences; without any, the lines of --file or of standard input')
    .requiredOption('--model <path>', 'a run folder or a model file (required)')
    .option('--file <path>', 'sentences, one a line; - is standard input')
    .option('--beam <count>', 'hypotheses that stay in the race; 1 is greedy', integer({ min: 1, max: 100 }), 5)
    .option('--length-penalty <alpha>', 'scores are divided by length to this power', decimal({ min: 0 }), 1)
    .option('--count <number>', 'translations of each sentence, at most --beam', integer({ min: 1, max: 100 }), 1)
    .option('--no-repeat <tokens>', 'no run of so many tokens twice', integer({ min: 1 }))
    .option('--attention', 'show where each word of the translation looked', false)
    .option('--svg <file>', 'draws that for the first sentence')
    .addHelpText(
      'after',
      `
Examples:
  ostinato translate --model runs/translation 'Le fichier est introuvable.' --attention
  ostinato translate --model runs/translation --file sentences.txt > translations.txt
  cat sentences.txt | ostinato translate --model runs/translation --count 3 --json`,
    )
    .action(async (texts: string[], options: TranslateCommandOptions) =>
      runTranslate(createOutput(options), texts, options),
    );
}

async function runTranslate(output: Output, given: readonly string[], options: TranslateCommandOptions): Promise<void> {
  const path = findCheckpoint('--model', options.model);
  const { beam: beamSize, count, svg } = options;
  if (given.length > 0 && options.file !== undefined) {
    throw badInput('--file', 'sentences come from the command line or from a file', 'both');
  }
  if (count > beamSize) throw badInput('--count', 'must be at most --beam', `${count} and ${beamSize}`);
  const texts = given.length > 0 ? given : await readLines(options.file);
  if (texts.length === 0) throw badInput('texts', 'there must be a sentence', 'none');
  await startEngine(given.length > 0 ? output : withoutLines(output), options);
  const { model, tokenizers } = await loadTranslator(path);
  const interrupt = listenForInterrupt(() => undefined);
  try {
    if (given.length > 0) output.line();
    for (let first = 0; first < texts.length; first += portion) {
      const found = await translate({
        ...{ model, tokenizers, beamSize, count, signal: interrupt.signal },
        texts: texts.slice(first, first + portion),
        lengthPenalty: { kind: 'average', alpha: options.lengthPenalty },
        noRepeatNgram: options.noRepeat,
        attention: options.attention || (svg !== undefined && first === 0),
      });
      for (const [i, translation] of found.entries()) {
        show(output, texts[first + i]!, translation, options);
        if (first + i === 0 && svg !== undefined) await draw(output, svg, texts[0]!, translation);
      }
    }
    output.event({ event: 'result', texts: texts.length });
  } finally {
    interrupt.release();
  }
}

function show(output: Output, text: string, translation: Translation, options: TranslateCommandOptions): void {
  const { alternatives, attention, logProbability, finished } = translation;
  const map = options.attention ? attention : undefined;
  output.event({
    ...{ event: 'translation', text, translation: translation.text, logProbability, finished },
    ...(options.count > 1 ? { alternatives } : {}),
    ...(map ? { attention: { ...map, mean: meanAttention(map) } } : {}),
  });
  for (const one of alternatives) {
    output.line(options.count > 1 ? `${one.score.toFixed(3).padStart(8)}  ${one.text}` : one.text);
  }
  if (!map) return;
  const { source, target } = map;
  output.line(`\n${heatmapText({ values: meanAttention(map), rows: target, columns: source, range: [0, 1] })}\n`);
}

async function draw(output: Output, file: string, text: string, { attention }: Translation): Promise<void> {
  if (!attention) throw badInput('--svg', 'the first sentence must not be blank', JSON.stringify(text));
  const { source, target } = attention;
  const labels = { rows: target, columns: source, xLabel: 'source', yLabel: 'translation' };
  await writeFile(file, heatmap({ ...labels, values: meanAttention(attention), range: [0, 1], title: text }));
  output.event({ event: 'figure', path: file });
}
