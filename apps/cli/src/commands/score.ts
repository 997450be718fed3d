import { isOstinatoError } from '@ostinato/core';
import { readText } from '@ostinato/data/node';
import {
  type BleuOptions,
  bleuSmoothings,
  bleuTokenizers,
  corpusBleu,
  corpusChrf,
  corpusCider,
  corpusRouge,
  corpusTer,
  formatBleu,
  formatChrf,
  formatTer,
} from '@ostinato/metrics';
import { Argument, type Command, Option } from 'commander';
import { badInput } from '../failure.ts';
import { createOutput } from '../output.ts';
import { integer } from '../parse.ts';

interface ScoreOptions {
  readonly reference: readonly string[];
  readonly hypothesis: string;
  readonly lowercase: boolean;
  readonly tokenize: NonNullable<BleuOptions['tokenize']>;
  readonly smoothing: NonNullable<BleuOptions['smoothing']>;
  readonly wordOrder: number;
  readonly json: boolean;
}

/** What a score says: fields of the result event, and one line for people. */
interface Report {
  readonly score: number;
  readonly line: string;
  readonly [field: string]: unknown;
}

type Metric = (
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  options: ScoreOptions,
) => Report;

const metrics: Readonly<Record<string, Metric>> = {
  bleu: (hypotheses, references, { tokenize, lowercase, smoothing }) => {
    const result = corpusBleu(hypotheses, references, { tokenize, lowercase, smoothing });
    return { ...result, line: formatBleu(result) };
  },
  chrf: (hypotheses, references, { wordOrder, lowercase }) => {
    const result = corpusChrf(hypotheses, references, { wordOrder, lowercase });
    return { ...result, line: formatChrf(result) };
  },
  ter: (hypotheses, references) => {
    const result = corpusTer(hypotheses, references);
    return { ...result, line: formatTer(result) };
  },
  'rouge-l': (hypotheses, references) => {
    const { rougeL } = corpusRouge(hypotheses, references);
    const [f1, precision, recall] = [rougeL.f1, rougeL.precision, rougeL.recall].map(value => value.toFixed(4));
    return { score: rougeL.f1, ...rougeL, line: `ROUGE-L F1 = ${f1} (precision = ${precision} recall = ${recall})` };
  },
  cider: (hypotheses, references) => {
    const { score } = corpusCider(hypotheses, references);
    return { score, line: `CIDEr-D = ${score.toFixed(4)}` };
  },
};

/** `ostinato score`: any system's output beside references, one sentence a line. */
export function addScore(root: Command): void {
  root
    .command('score')
    .description("score any system's output beside references, one sentence a line")
    .addArgument(new Argument('<metric>', 'what to compute').choices(Object.keys(metrics)))
    .requiredOption('--reference <files...>', 'one file, or several for several references of each line (required)')
    .requiredOption('--hypothesis <file>', 'the output, as many lines as each reference (required)')
    .option('--lowercase', 'upper and lower case are the same (bleu, chrf)', false)
    .addOption(new Option('--tokenize <name>', 'what a word is (bleu)').choices(bleuTokenizers).default('13a'))
    .addOption(new Option('--smoothing <name>', 'of precisions of 0 (bleu)').choices(bleuSmoothings).default('exp'))
    .option('--word-order <count>', 'longest n-gram of words, 2 for chrF++ (chrf)', integer({ min: 0 }), 0)
    .option('--json', 'JSON instead of text, an event per line', false)
    .addHelpText(
      'after',
      '\nExamples:\n  ostinato score bleu --reference test.en --hypothesis output.en --lowercase\n  ostinato score chrf --word-order 2 --reference a.en b.en --hypothesis output.en --json',
    )
    .action(async (metric: string, options: ScoreOptions) => score(metric, options));
}

async function score(metric: string, options: ScoreOptions): Promise<void> {
  const { reference: files, hypothesis } = options;
  const output = createOutput(options);
  const hypotheses = await readLines('--hypothesis', hypothesis);
  const references: string[][] = [];
  for (const file of files) {
    const lines = await readLines('--reference', file);
    if (lines.length !== hypotheses.length) throw unequal(hypothesis, hypotheses.length, file, lines.length);
    references.push(lines);
  }
  const each = hypotheses.map((_, i) => references.map(lines => lines[i]!));
  const { line, ...result } = metrics[metric]!(hypotheses, each, options);
  output.event({ event: 'result', metric, sentences: hypotheses.length, ...result });
  output.line(line);
}

/** The lines of a UTF-8 file: empty ones count, a byte order mark and the carriage returns of CRLF do not. */
async function readLines(option: string, path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (!isOstinatoError(error)) throw error;
    throw badInput(option, error.parts.rule, error.parts.got, error.parts.advice);
  }
  const lines = text.replace(/^\ufeff/, '').split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw badInput(option, 'the file must have lines', `'${path}', which is empty`);
  return lines.map(line => line.replace(/\r$/, ''));
}

function unequal(hypothesis: string, hypotheses: number, reference: string, references: number): Error {
  const [shorter, missing] = hypotheses < references ? [hypothesis, 'hypothesis'] : [reference, 'reference'];
  const first = Math.min(hypotheses, references) + 1;
  return badInput(
    '--reference',
    'hypothesis and reference must have as many lines',
    `${hypotheses} lines in '${hypothesis}' and ${references} in '${reference}': line ${first} has no ${missing}`,
    `Look where lines of '${shorter}' are missing.`,
  );
}
