import { evaluate, tellingWords } from '@ostinato/tasks/sentiment';
import { loadTextClassifier } from '@ostinato/tasks/sentiment/node';
import { evaluate as evaluateTagger } from '@ostinato/tasks/tagging';
import { loadSequenceTagger } from '@ostinato/tasks/tagging/node';
import type { Json } from '@ostinato/training';
import { type CommonOptions, startEngine } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import type { Output } from '../output.ts';
import type { Measured, TaskRecord } from '../task-session.ts';
import { type LabelledFormat, labelled, type Reader, readPartsAgain, readTagged } from '../text-data.ts';
import { classifierLines, taggerLines } from '../text-report.ts';

/** Options of `ostinato evaluate` for models of texts. */
export interface EvaluateTextOptions extends CommonOptions, LabelledFormat {
  readonly data?: string | undefined;
}

/** Measures a classifier or a tagger: on a file, or on what its run held out. */
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
  const given = options.data === undefined ? null : await labelled(options)('--data', options.data);
  return async signal => {
    const { model, tokenizer, details } = await loadTextClassifier(path);
    const record = recordOf(details);
    const examples = given ?? (await heldOut(labelled(record?.reading as unknown as LabelledFormat), record));
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
  const given = data === undefined ? null : await readTagged('--data', data);
  return async signal => {
    const { model, tokenizer, details } = await loadSequenceTagger(path);
    const sentences = given ?? (await heldOut(readTagged, recordOf(details)));
    return taggerLines(await evaluateTagger({ model, tokenizer, sentences, signal }));
  };
}

function recordOf(details: Json): TaskRecord | null {
  const record = details as unknown as TaskRecord | null;
  return record?.files && record.training ? record : null;
}

/** What the run of a model held out. */
async function heldOut<Example>(read: Reader<Example>, record: TaskRecord | null): Promise<readonly Example[]> {
  const { validation } = record ? await readPartsAgain(read, record, {}) : { validation: [] };
  if (validation.length > 0) return validation;
  throw badInput('--data', 'a file must be named', 'none, and the run of the model held nothing out');
}
