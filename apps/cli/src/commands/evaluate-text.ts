import { evaluate, tellingWords } from '@ostinato/tasks/sentiment';
import { loadTextClassifier } from '@ostinato/tasks/sentiment/node';
import { evaluate as evaluateTagger } from '@ostinato/tasks/tagging';
import { loadSequenceTagger } from '@ostinato/tasks/tagging/node';
import { type CommonOptions, startEngine } from '../common.ts';
import { listenForInterrupt } from '../interrupt.ts';
import type { Output } from '../output.ts';
import type { Measured } from '../task-session.ts';
import { formatOf, readLabelled, readTagged } from '../text-data.ts';
import { classifierLines, taggerLines } from '../text-report.ts';

/** Options of `ostinato evaluate` for models of texts. */
export interface EvaluateTextOptions extends CommonOptions {
  readonly data: string;
  readonly format: 'auto' | 'lines' | 'csv' | 'tsv';
  readonly textColumn: string;
  readonly labelColumn: string;
}

/** Measures a classifier or a tagger on a file. */
export async function evaluateText(
  output: Output,
  task: 'sentiment' | 'tagging',
  path: string,
  options: EvaluateTextOptions,
): Promise<void> {
  const measure = task === 'sentiment' ? await preparedClassifier(path, options) : await preparedTagger(path, options);
  await startEngine(output, options);
  const interrupt = listenForInterrupt(() => undefined);
  try {
    const { lines, fields } = await measure(interrupt.signal);
    output.line();
    for (const line of lines) output.line(line);
    output.event({ event: 'result', ...fields });
  } finally {
    interrupt.release();
  }
}

type Measure = (signal: AbortSignal) => Promise<Measured>;

async function preparedClassifier(path: string, options: EvaluateTextOptions): Promise<Measure> {
  const format = { ...options, format: formatOf(options.data, options.format) };
  const examples = await readLabelled('--data', options.data, format);
  return async signal => {
    const { model, tokenizer } = await loadTextClassifier(path);
    const { lines, fields } = classifierLines(await evaluate({ model, tokenizer, examples, signal }));
    const words = await tellingWords({ model, tokenizer, texts: examples.map(({ text }) => text), count: 8, signal });
    const telling = Object.entries(words).map(
      ([label, list]) => `${label}: ${list.map(({ token }) => token).join(', ')}`,
    );
    return {
      lines: [...lines, 'words that speak most for each label', ...telling],
      fields: { ...fields, tellingWords: words },
    };
  };
}

async function preparedTagger(path: string, { data }: EvaluateTextOptions): Promise<Measure> {
  const sentences = await readTagged('--data', data);
  return async signal => {
    const { model, tokenizer } = await loadSequenceTagger(path);
    return taggerLines(await evaluateTagger({ model, tokenizer, sentences, signal }));
  };
}
