import type { PrecisionRecall } from './classification.ts';
import { checkPair, MetricError } from './errors.ts';

/** A run of words under one name. */
export interface Span {
  readonly type: string;
  /** Place of the first word. */
  readonly start: number;
  /** Place behind the last word. */
  readonly end: number;
}

/** What `spanReport` gives back. */
export interface SpanReport extends PrecisionRecall {
  /** Spans of the targets. */
  readonly support: number;
  /** Spans that were predicted. */
  readonly predicted: number;
  /** Of each type, in alphabetical order. */
  readonly perType: Readonly<Record<string, PrecisionRecall & { readonly support: number }>>;
  /** Mean over the types. */
  readonly macro: PrecisionRecall;
}

/** Whether every tag is `O`, `B-…` or `I-…`. */
export function isIob(tags: Iterable<string>): boolean {
  return [...tags].every(tag => /^(?:O|[BI]-.+)$/su.test(tag));
}

/**
 * The spans that tags in IOB2 describe: `B-X` begins one of type X, `I-X` goes on, `O` is outside. An `I-X` that follows no X begins
 * one too, as in conlleval (Tjong Kim Sang and Buchholz 2000), so that IOB1 is read as well.
 *
 * @throws MetricError when a tag is not of that form
 */
export function spansOf(tags: readonly string[]): Span[] {
  const spans: { type: string; start: number; end: number }[] = [];
  let open: { type: string; start: number; end: number } | undefined;
  for (const [place, tag] of tags.entries()) {
    if (!isIob([tag])) {
      const got = `${JSON.stringify(tag)} at ${place}`;
      throw new MetricError({ where: 'spansOf', rule: 'a tag must be O, B-… or I-…', got });
    }
    if (tag === 'O') {
      open = undefined;
      continue;
    }
    const type = tag.slice(2);
    if (tag[0] === 'I' && open?.type === type) open.end = place + 1;
    else {
      open = { type, start: place, end: place + 1 };
      spans.push(open);
    }
  }
  return spans;
}

/**
 * How many spans were found, exactly: same words, same type. Equal to conlleval and seqeval on IOB2.
 *
 *   precision = right / predicted     recall = right / targets     F1 = 2 P R / (P + R)
 *
 * over all spans together (micro-average) and of each type; what would be 0/0 is 0.
 *
 * @param targets tags of each sentence
 * @param predictions as many, of the same lengths
 * @throws MetricError when lengths differ, nothing is given, or a tag is not of IOB2's form
 */
export function spanReport(
  targets: readonly (readonly string[])[],
  predictions: readonly (readonly string[])[],
): SpanReport {
  const where = 'spanReport';
  checkPair(where, { name: 'targets', values: targets }, { name: 'predictions', values: predictions });
  const counts = new Map<string, { right: number; targets: number; predicted: number }>();
  const of = (type: string): { right: number; targets: number; predicted: number } => {
    const found = counts.get(type) ?? { right: 0, targets: 0, predicted: 0 };
    counts.set(type, found);
    return found;
  };
  for (const [i, tags] of targets.entries()) {
    const names = [`targets[${i}]`, `predictions[${i}]`] as const;
    checkPair(where, { name: names[0], values: tags }, { name: names[1], values: predictions[i]! }, 0);
    const right = new Set<string>();
    for (const { type, start, end } of spansOf(tags)) {
      of(type).targets++;
      right.add(`${start} ${end} ${type}`);
    }
    for (const { type, start, end } of spansOf(predictions[i]!)) {
      of(type).predicted++;
      if (right.has(`${start} ${end} ${type}`)) of(type).right++;
    }
  }
  const all = { right: 0, targets: 0, predicted: 0 };
  for (const count of counts.values()) {
    all.right += count.right;
    all.targets += count.targets;
    all.predicted += count.predicted;
  }
  const perType = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, count]) => [type, { ...scores(count), support: count.targets }] as const);
  const mean = (part: keyof PrecisionRecall): number =>
    perType.length === 0 ? 0 : perType.reduce((sum, [, each]) => sum + each[part], 0) / perType.length;
  return {
    ...scores(all),
    support: all.targets,
    predicted: all.predicted,
    perType: Object.fromEntries(perType),
    macro: { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') },
  };
}

function scores({ right, targets, predicted }: { right: number; targets: number; predicted: number }): PrecisionRecall {
  const precision = predicted === 0 ? 0 : right / predicted;
  const recall = targets === 0 ? 0 : right / targets;
  return { precision, recall, f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
}
