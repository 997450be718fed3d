import type { ClassifierEvaluation } from '@ostinato/tasks/sentiment';
import type { TaggerEvaluation } from '@ostinato/tasks/tagging';
import type { Measured } from './task-session.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Rows of cells, the first left-aligned, the others right-aligned. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => [...row[column]!].length)));
  return rows.map(row =>
    row
      .map((cell, column) => {
        const blanks = ' '.repeat(widths[column]! - [...cell].length);
        return column === 0 ? cell + blanks : blanks + cell;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** What `ostinato evaluate` and the end of a training say of a classifier. */
export function classifierLines({ labels, ...report }: ClassifierEvaluation): Measured {
  const { accuracy, macro, matthews, nats, examples, perClass, confusion } = report;
  const scores = table([
    ['', 'precision', 'recall', 'F1', 'texts', ...labels.map(label => `→ ${label}`)],
    ...labels.map((label, i) => {
      const { precision, recall, f1, support } = perClass[i]!;
      return [label, percent(precision), percent(recall), percent(f1), String(support), ...confusion[i]!.map(String)];
    }),
  ]);
  return {
    lines: [
      `accuracy ${percent(accuracy)}   macro F1 ${percent(macro.f1)}   Matthews ${matthews.toFixed(3)}   ${nats.toFixed(3)} nats   (${examples} texts)\n`,
      ...scores,
      '',
    ],
    fields: { ...{ accuracy, macroF1: macro.f1, matthews, nats, examples, labels, perClass, confusion } },
  };
}

/** What `ostinato evaluate` and the end of a training say of a tagger. */
export function taggerLines({ labels, ...report }: TaggerEvaluation): Measured {
  const { accuracy, macro, nats, sentences, words, spans, perClass } = report;
  const head = `accuracy ${percent(accuracy)}   ${nats.toFixed(3)} nats   (${words} words, ${sentences} sentences)`;
  const named: readonly (readonly [string, { precision: number; recall: number; f1: number; support: number }])[] =
    spans ? Object.entries(spans.perType) : labels.map((label, i) => [label, perClass[i]!] as const);
  const scores = table([
    ['', 'precision', 'recall', 'F1', spans ? 'spans' : 'words'],
    ...named.map(([name, { precision, recall, f1, support }]) => [
      name,
      percent(precision),
      percent(recall),
      percent(f1),
      String(support),
    ]),
  ]);
  const exact = spans
    ? `spans    F1 ${percent(spans.f1)}   precision ${percent(spans.precision)}   recall ${percent(spans.recall)}   (${spans.support} spans)`
    : `macro F1 ${percent(macro.f1)}`;
  return {
    lines: [head, `${exact}\n`, ...scores, ''],
    fields: { accuracy, macroF1: macro.f1, nats, sentences, words, spans, labels, perClass },
  };
}
