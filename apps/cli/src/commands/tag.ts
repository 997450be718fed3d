import { spansOf } from '@ostinato/metrics';
import { tag } from '@ostinato/tasks/tagging';
import { loadSequenceTagger } from '@ostinato/tasks/tagging/node';
import type { Command } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { createOutput, type Output, withoutLines } from '../output.ts';
import { findCheckpoint } from '../run-folder.ts';
import { readTexts } from '../text-data.ts';

interface TagCommandOptions extends CommonOptions {
  readonly model: string;
  readonly file?: string;
  readonly columns: boolean;
}

/** `ostinato tag`: a tag for every word. */
export function addTag(root: Command): void {
  withCommonOptions(root.command('tag'))
    .description('tag the words of sentences, with the model of a run of `train tagging`')
    .argument('[sentences...]', 'words with blanks between; without any, the lines of --file or of standard input')
    .requiredOption('--model <path>', 'a run folder or a model file (required)')
    .option('--file <path>', 'sentences, one a line; - is standard input')
    .option('--columns', 'print a word and its tag a line, as `train tagging` reads them', false)
    .addHelpText(
      'after',
      `
Examples:
  ostinato tag --model runs/tagging 'Is Rail One open on Friday ?'
  ostinato tag --model runs/tagging --file requests.txt --columns > tagged.conll`,
    )
    .action(async (sentences: string[], options: TagCommandOptions) =>
      runTag(createOutput(options), sentences, options),
    );
}

async function runTag(output: Output, given: readonly string[], options: TagCommandOptions): Promise<void> {
  const path = findCheckpoint('--model', options.model);
  const asked = await readTexts('sentences', given, options.file);
  const sentences = asked.map(({ text }) => text);
  await startEngine(options.columns ? withoutLines(output) : output, options);
  const { model, tokenizer } = await loadSequenceTagger(path);
  const interrupt = listenForInterrupt(() => undefined);
  try {
    const found = await tag({ model, tokenizer, sentences, signal: interrupt.signal });
    if (!options.columns) output.line();
    for (const [i, { words, tags, probabilities }] of found.entries()) {
      output.event({ event: 'sentence', line: asked[i]!.line, words, tags, probabilities });
      output.line(options.columns ? words.map((word, t) => `${word}\t${tags[t]}\n`).join('') : inBrackets(words, tags));
    }
    output.event({ event: 'result', sentences: found.length });
  } finally {
    interrupt.release();
  }
}

/** `Is [Rail One ORG] open ?`; of tags without spans `word/TAG`. */
function inBrackets(words: readonly string[], tags: readonly string[]): string {
  if (!tags.every(one => /^(?:O|[BI]-.+)$/u.test(one))) return words.map((word, i) => `${word}/${tags[i]}`).join(' ');
  const shown = [...words];
  for (const { type, start, end } of spansOf(tags)) {
    shown[start] = `[${shown[start]}`;
    shown[end - 1] = `${shown[end - 1]} ${type}]`;
  }
  return shown.join(' ');
}
