import { checkCorpus, type References, referencesOf } from './references.ts';
import { countWordNgrams, splitWords } from './text.ts';

/** Precision, recall and their harmonic mean, 0 … 1. */
export interface RougeValues {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** What `corpusRouge` and `sentenceRouge` give back. */
export interface RougeScore {
  /** By words. */
  readonly rouge1: RougeValues;
  /** By pairs of words. */
  readonly rouge2: RougeValues;
  /** By the longest common subsequence. */
  readonly rougeL: RougeValues;
  /** By the union of the longest common subsequences of sentences, one a line. */
  readonly rougeLsum: RougeValues;
}

/** Options of `corpusRouge` and `sentenceRouge`. */
export interface RougeOptions {
  /**
   * The words of a text. Default `rougeWords`, which knows ASCII letters and digits only: give another one for text in other
   * letters.
   */
  readonly words?: ((text: string) => readonly string[]) | undefined;
}

/** The words as ROUGE-1.5.5 and rouge-score have them, not stemmed: lower case, runs of a–z and 0–9. */
export function rougeWords(text: string): string[] {
  return splitWords(text.toLowerCase().replace(/[^a-z0-9]+/g, ' '));
}

/**
 * ROUGE of one text, equal to rouge-score 0.1.2 without stemming.
 *
 *   ROUGE-N  precision, recall = matching n-grams / n-grams of the hypothesis, of the reference
 *   ROUGE-L  precision, recall = length of the longest common subsequence / words of the hypothesis, of the reference
 *
 * Of several references the one with the largest F counts, for each kind by itself.
 *
 * Source: Lin 2004, ROUGE, W04-1013.
 *
 * @throws MetricError when there is no reference
 */
export function sentenceRouge(
  hypothesis: string,
  references: string | readonly string[],
  { words = rougeWords }: RougeOptions = {},
): RougeScore {
  checkCorpus('sentenceRouge', [hypothesis], [references]);
  return best(hypothesis, referencesOf([references], 0), words);
}

/**
 * ROUGE of a corpus: the mean of `sentenceRouge` over its texts.
 *
 * @throws MetricError when there is no hypothesis, or one has no reference
 */
export function corpusRouge(
  hypotheses: readonly string[],
  references: References,
  { words = rougeWords }: RougeOptions = {},
): RougeScore {
  checkCorpus('corpusRouge', hypotheses, references);
  const scores = hypotheses.map((hypothesis, i) => best(hypothesis, referencesOf(references, i), words));
  const mean = (kind: keyof RougeScore): RougeValues => {
    const of = (part: keyof RougeValues): number =>
      scores.reduce((sum, score) => sum + score[kind][part], 0) / scores.length;
    return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
  };
  return { rouge1: mean('rouge1'), rouge2: mean('rouge2'), rougeL: mean('rougeL'), rougeLsum: mean('rougeLsum') };
}

type Words = (text: string) => readonly string[];

function best(hypothesis: string, references: readonly string[], words: Words): RougeScore {
  const scores = references.map(reference => compare(hypothesis, reference, words));
  const pick = (kind: keyof RougeScore): RougeValues =>
    scores.map(score => score[kind]).reduce((most, each) => (each.f1 > most.f1 ? each : most));
  return { rouge1: pick('rouge1'), rouge2: pick('rouge2'), rougeL: pick('rougeL'), rougeLsum: pick('rougeLsum') };
}

function compare(hypothesis: string, reference: string, words: Words): RougeScore {
  const [ours, theirs] = [words(hypothesis), words(reference)];
  const linesOf = (text: string): (readonly string[])[] => text.split('\n').filter(Boolean).map(words);
  return {
    rouge1: byNgrams(ours, theirs, 1),
    rouge2: byNgrams(ours, theirs, 2),
    rougeL: values(inCommon(theirs, ours).length, ours.length, theirs.length),
    rougeLsum: byLines(linesOf(hypothesis), linesOf(reference)),
  };
}

function values(matches: number, ours: number, theirs: number): RougeValues {
  const precision = matches / Math.max(ours, 1);
  const recall = matches / Math.max(theirs, 1);
  const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
  return { precision, recall, f1 };
}

function byNgrams(ours: readonly string[], theirs: readonly string[], order: number): RougeValues {
  const counts = countWordNgrams(theirs, order);
  let matches = 0;
  for (const [ngram, count] of countWordNgrams(ours, order)) matches += Math.min(count, counts.get(ngram) ?? 0);
  const size = (list: readonly string[]): number => Math.max(0, list.length - order + 1);
  return values(matches, size(ours), size(theirs));
}

/** Lin 2004, section 3.2; a word counts at most as often as both texts have it, as in ROUGE-1.5.5. */
function byLines(ours: readonly (readonly string[])[], theirs: readonly (readonly string[])[]): RougeValues {
  const [left, right] = [countWordNgrams(ours.flat(), 1), countWordNgrams(theirs.flat(), 1)];
  let matches = 0;
  for (const line of theirs) {
    const union = new Set(ours.flatMap(other => inCommon(line, other)));
    for (const place of [...union].sort((a, b) => a - b)) {
      const word = line[place]!;
      const [here, there] = [left.get(word) ?? 0, right.get(word) ?? 0];
      if (here === 0 || there === 0) continue;
      matches++;
      left.set(word, here - 1);
      right.set(word, there - 1);
    }
  }
  return values(matches, ours.flat().length, theirs.flat().length);
}

/** Places in `first` of a longest common subsequence with `second`, of several that which rouge-score takes. */
function inCommon(first: readonly string[], second: readonly string[]): number[] {
  const width = second.length + 1;
  const lengths = new Int32Array((first.length + 1) * width);
  for (let i = 1; i <= first.length; i++) {
    for (let j = 1; j <= second.length; j++) {
      const here = i * width + j;
      lengths[here] =
        first[i - 1] === second[j - 1]
          ? lengths[here - width - 1]! + 1
          : Math.max(lengths[here - width]!, lengths[here - 1]!);
    }
  }
  const places: number[] = [];
  let [i, j] = [first.length, second.length];
  while (i > 0 && j > 0) {
    const here = i * width + j;
    if (first[i - 1] === second[j - 1]) {
      places.push(i - 1);
      i--;
      j--;
    } else if (lengths[here - 1]! > lengths[here - width]!) j--;
    else i--;
  }
  return places;
}
