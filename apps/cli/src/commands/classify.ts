import { writeFile } from 'node:fs/promises';
import { tokenScoresFigure, tokenScoresText } from '@ostinato/insight';
import { classify, type Explanation, occlusion, saliency, tellingWords } from '@ostinato/tasks/sentiment';
import { loadTextClassifier } from '@ostinato/tasks/sentiment/node';
import { type Command, Option } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { createOutput, type Output, withoutLines } from '../output.ts';
import { integer } from '../parse.ts';
import { findCheckpoint } from '../run-folder.ts';
import { readTexts } from '../text-data.ts';

interface ClassifyCommandOptions extends CommonOptions {
  readonly model: string;
  readonly file?: string;
  readonly explain?: 'gradient' | 'occlusion';
  readonly svg?: string;
  readonly tellingWords?: number;
}

/** `ostinato classify`: labels of texts, with why. */
export function addClassify(root: Command): void {
  withCommonOptions(root.command('classify'))
    .description('say which label a text has, with the model of a run of `train sentiment`')
    .argument('[texts...]', 'texts; without any, the lines of --file or of standard input')
    .requiredOption('--model <path>', 'a run folder or a model file (required)')
    .option('--file <path>', 'texts, one a line; - is standard input')
    .addOption(
      new Option('--explain [method]', 'what each word contributes: by its gradient, or by leaving it out')
        .choices(['gradient', 'occlusion'])
        .preset('gradient'),
    )
    .option('--svg <file>', 'draws the explanation of the first text')
    .option(
      '--telling-words <count>',
      'also the words that speak most for each label in these texts',
      integer({ min: 1 }),
    )
    .addHelpText(
      'after',
      `
Examples:
  ostinato classify --model runs/sentiment 'What a lovely evening!' --explain
  ostinato classify --model runs/sentiment --file reviews.txt --json
  cat reviews.txt | ostinato classify --model runs/sentiment --telling-words 15`,
    )
    .action(async (texts: string[], options: ClassifyCommandOptions) =>
      runClassify(createOutput(options), texts, options),
    );
}

async function runClassify(output: Output, given: readonly string[], options: ClassifyCommandOptions): Promise<void> {
  const path = findCheckpoint('--model', options.model);
  const asked = await readTexts('texts', given, options.file);
  const texts = asked.map(({ text }) => text);
  await startEngine(given.length > 0 ? output : withoutLines(output), options);
  const { model, tokenizer } = await loadTextClassifier(path);
  const interrupt = listenForInterrupt(() => undefined);
  const { signal } = interrupt;
  try {
    const found = await classify({ model, tokenizer, texts, signal });
    const method = options.explain ?? (options.svg === undefined ? undefined : 'gradient');
    const wide = Math.max(...model.config.labels.map(label => label.length));
    if (given.length > 0) output.line();
    for (const [i, { text, line }] of asked.entries()) {
      const { label, probability, probabilities } = found[i]!;
      const explain = method === 'occlusion' ? occlusion : saliency;
      const why = method === undefined ? undefined : await explain({ model, tokenizer, text });
      signal.throwIfAborted();
      output.event({ event: 'text', line, text, label, probability, probabilities, tokens: why?.tokens });
      const shown = why ? tokenScoresText({ tokens: why.tokens, colour: output.live }) : text;
      output.line(`${label.padEnd(wide)}  ${(100 * probability).toFixed(1).padStart(5)} %  ${shown}`);
      if (i === 0 && why && options.svg !== undefined) await draw(output, options.svg, why);
    }
    if (options.tellingWords !== undefined) {
      const words = await tellingWords({
        ...{ model, tokenizer, texts, signal, count: options.tellingWords },
        minimumFrequency: texts.length < 20 ? 1 : 3,
      });
      output.event({ event: 'telling-words', words });
      output.line('\nwords that speak most for each label');
      for (const [label, list] of Object.entries(words)) {
        output.line(
          `${label.padEnd(wide)}  ${list.map(({ token, score }) => `${token} ${score.toFixed(2)}`).join(', ')}`,
        );
      }
    }
    output.event({ event: 'result', texts: texts.length });
  } finally {
    interrupt.release();
  }
}

async function draw(output: Output, file: string, { label, probability, tokens }: Explanation): Promise<void> {
  if (tokens.length === 0) throw badInput('--svg', 'the text must have a token', 'none');
  await writeFile(file, tokenScoresFigure({ tokens, title: `${label}, ${(100 * probability).toFixed(1)} %` }));
  output.event({ event: 'figure', path: file });
}
