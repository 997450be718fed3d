import { checkNumber, checkPair, MetricError } from './errors.ts';

/** Precision, recall and F1 of a class, or a mean over classes; 0 … 1. */
export interface PrecisionRecall {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** What `classificationReport` gives back. */
export interface ClassificationReport {
  readonly accuracy: number;
  /** Mean recall of the classes that occur as targets. */
  readonly balancedAccuracy: number;
  /** Matthews correlation: −1 … 1, 0 for chance, and where targets or predictions are all of one class. */
  readonly matthews: number;
  /** Cohen's κ: 0 for chance, and NaN where targets and predictions are all of the same one class. */
  readonly kappa: number;
  /** `confusion[target][predicted]`: how many. */
  readonly confusion: readonly (readonly number[])[];
  /** Of each class; what would be 0/0 is 0. `support` is the number of its targets. */
  readonly perClass: readonly (PrecisionRecall & { readonly support: number })[];
  /** Mean over all classes, those that do not occur counted as 0. */
  readonly macro: PrecisionRecall;
  /** Mean over all classes, weighted by their number of targets. */
  readonly weighted: PrecisionRecall;
}

/**
 * `[target][predicted]`: how many examples of each class were taken for each class.
 *
 * @param targets class of each example, 0 … numClasses − 1
 * @param predictions what was taken for it
 * @throws MetricError when the lengths differ, nothing is given, or a class is out of range
 */
export function confusionMatrix(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  { numClasses }: { readonly numClasses: number },
): number[][] {
  return count('confusionMatrix', targets, predictions, numClasses);
}

function count(where: string, targets: ArrayLike<number>, predictions: ArrayLike<number>, classes: number): number[][] {
  checkNumber(where, 'numClasses', classes, { integer: true, min: 1 });
  checkPair(where, { name: 'targets', values: targets }, { name: 'predictions', values: predictions });
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < targets.length; i++) {
    checkClass(where, `targets[${i}]`, targets[i]!, classes);
    checkClass(where, `predictions[${i}]`, predictions[i]!, classes);
    matrix[targets[i]!]![predictions[i]!]!++;
  }
  return matrix;
}

function checkClass(where: string, name: string, value: number, classes: number): void {
  if (Number.isInteger(value) && value >= 0 && value < classes) return;
  throw new MetricError({ where, rule: `${name} must be a class`, expected: `0 … ${classes - 1}`, got: String(value) });
}

/**
 * Share of predictions equal to their targets, 0 … 1.
 *
 * @throws MetricError when the lengths differ or nothing is given
 */
export function accuracy(targets: ArrayLike<number | string>, predictions: ArrayLike<number | string>): number {
  checkPair('accuracy', { name: 'targets', values: targets }, { name: 'predictions', values: predictions });
  let correct = 0;
  for (let i = 0; i < targets.length; i++) if (targets[i] === predictions[i]) correct++;
  return correct / targets.length;
}

/**
 * Share of targets among the `count` classes with the largest scores, 0 … 1. Classes that tie with the target count as below.
 *
 * @param scores `[example, class]`, flat: logits, probabilities, any scale
 * @throws MetricError when sizes do not fit, nothing is given, a class is out of range, or a score is NaN
 */
export function topAccuracy(
  targets: ArrayLike<number>,
  scores: ArrayLike<number>,
  { numClasses, count }: { readonly numClasses: number; readonly count: number },
): number {
  const where = 'topAccuracy';
  checkNumber(where, 'numClasses', numClasses, { integer: true, min: 1 });
  checkNumber(where, 'count', count, { integer: true, min: 1, max: numClasses });
  if (targets.length === 0 || scores.length !== targets.length * numClasses) {
    const expected = `[${targets.length}, ${numClasses}] values`;
    throw new MetricError({ where, rule: 'scores must have a row for each target', expected, got: `${scores.length}` });
  }
  let found = 0;
  for (let i = 0; i < targets.length; i++) {
    checkClass(where, `targets[${i}]`, targets[i]!, numClasses);
    const own = scores[i * numClasses + targets[i]!]!;
    let above = 0;
    for (let k = 0; k < numClasses; k++) {
      const score = scores[i * numClasses + k]!;
      if (Number.isNaN(score))
        throw new MetricError({ where, rule: 'scores must not be NaN', got: `NaN at [${i}, ${k}]` });
      if (score > own) above++;
    }
    if (above < count) found++;
  }
  return found / targets.length;
}

/**
 * Everything that a table of targets and predictions says, equal to scikit-learn's with `zero_division=0`.
 *
 *   precision_k = right of k / predicted k     recall_k = right of k / targets of k     F1_k = 2 P R / (P + R)
 *   κ = (accuracy − p) / (1 − p), p the accuracy that independent guesses with these frequencies have
 *   Matthews = cov(target, predicted) / √(cov(target, target) cov(predicted, predicted))
 *
 * Source: Cohen 1960; Gorodkin 2004, Comparing two K-category assignments by a K-category correlation coefficient.
 *
 * @param targets class of each example, 0 … numClasses − 1
 * @param predictions what was taken for it
 * @throws MetricError when the lengths differ, nothing is given, or a class is out of range
 */
export function classificationReport(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  { numClasses }: { readonly numClasses: number },
): ClassificationReport {
  const confusion = count('classificationReport', targets, predictions, numClasses);
  const examples = targets.length;
  const supports = confusion.map(sum);
  const guesses = confusion.map((_, k) => sum(confusion.map(row => row[k]!)));
  const right = sum(confusion.map((row, k) => row[k]!));
  const perClass = confusion.map((row, k) => {
    const precision = ratio(row[k]!, guesses[k]!);
    const recall = ratio(row[k]!, supports[k]!);
    const f1 = ratio(2 * precision * recall, precision + recall);
    return { precision, recall, f1, support: supports[k]! };
  });
  const mean = (weights: readonly number[]): PrecisionRecall => {
    const of = (part: keyof PrecisionRecall): number =>
      sum(perClass.map((each, k) => each[part] * weights[k]!)) / sum(weights);
    return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
  };
  const expected = sum(supports.map((support, k) => support * guesses[k]!));
  const spread = (counts: readonly number[]): number => examples ** 2 - sum(counts.map(each => each ** 2));
  const present = perClass.filter(({ support }) => support > 0);
  return {
    accuracy: right / examples,
    balancedAccuracy: sum(present.map(({ recall }) => recall)) / present.length,
    matthews: ratio(right * examples - expected, Math.sqrt(spread(supports) * spread(guesses))),
    kappa: (right * examples - expected) / (examples ** 2 - expected),
    confusion,
    perClass,
    macro: mean(perClass.map(() => 1)),
    weighted: mean(supports),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
