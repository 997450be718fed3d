import { checkNumber } from './errors.ts';
import { checkCorpus, countReferences, type References, referencesOf, signature, yesOrNo } from './references.ts';
import { countWordNgrams, fixed, removeSpaces, splitWords } from './text.ts';

/** Options of `corpusChrf` and `sentenceChrf`; the defaults are sacreBLEU's, chrF2. */
export interface ChrfOptions {
  /** Longest n-gram of characters. Default 6. */
  readonly characterOrder?: number | undefined;
  /** Longest n-gram of words. Default 0; 2 makes chrF++. */
  readonly wordOrder?: number | undefined;
  /** β: recall counts β times as much as precision. Default 2. */
  readonly beta?: number | undefined;
  /** Whether upper and lower case are the same. Default false. */
  readonly lowercase?: boolean | undefined;
  /** Whether white space counts as characters. Default false. */
  readonly whitespace?: boolean | undefined;
  /** Smoothing of chrF++.py, Moses and NLTK: a mean of F over all orders, 10⁻¹⁶ for what is missing. Default false. */
  readonly epsilonSmoothing?: boolean | undefined;
}

/** What `corpusChrf` and `sentenceChrf` give back. */
export interface ChrfScore {
  /** 0 … 100. */
  readonly score: number;
  /** `chrF2`, `chrF2++` … */
  readonly name: string;
  /** How it was computed, in sacreBLEU's form. */
  readonly signature: string;
}

type Complete = { readonly [Name in keyof ChrfOptions]-?: NonNullable<ChrfOptions[Name]> };

function complete(where: string, options: ChrfOptions): Complete {
  const { characterOrder = 6, wordOrder = 0, beta = 2 } = options;
  const { lowercase = false, whitespace = false, epsilonSmoothing = false } = options;
  checkNumber(where, 'characterOrder', characterOrder, { integer: true, min: 1 });
  checkNumber(where, 'wordOrder', wordOrder, { integer: true, min: 0 });
  checkNumber(where, 'beta', beta, { above: 0 });
  return { characterOrder, wordOrder, beta, lowercase, whitespace, epsilonSmoothing };
}

/**
 * chrF or chrF++ of a corpus, equal to sacreBLEU's: matches are summed over the corpus, with the best reference of each
 * sentence.
 *
 *   P_n, R_n = matching n-grams / n-grams of the hypotheses, of the references
 *   P, R     = means over the orders that both have
 *   chrFβ    = 100 (1 + β²) P R / (β² P + R)
 *
 * Source: Popović 2015, W15-3049; Popović 2017 (chrF++), W17-4770.
 *
 * @throws MetricError when there is no hypothesis, one has no reference, or an option is not allowed
 */
export function corpusChrf(
  hypotheses: readonly string[],
  references: References,
  options: ChrfOptions = {},
): ChrfScore {
  const all = complete('corpusChrf', options);
  checkCorpus('corpusChrf', hypotheses, references);
  return score(hypotheses, references, all);
}

/**
 * chrF or chrF++ of one sentence with its best reference.
 *
 * @param references one or several
 * @throws MetricError as `corpusChrf` does
 */
export function sentenceChrf(
  hypothesis: string,
  references: string | readonly string[],
  options: ChrfOptions = {},
): ChrfScore {
  const all = complete('sentenceChrf', options);
  checkCorpus('sentenceChrf', [hypothesis], [references]);
  return score([hypothesis], [references], all);
}

/** Of one order: n-grams of the hypothesis, n-grams of the reference, matches. */
type OrderCounts = [hypothesis: number, reference: number, matches: number];

function score(hypotheses: readonly string[], references: References, options: Complete): ChrfScore {
  const { characterOrder, wordOrder, beta, lowercase, whitespace, epsilonSmoothing } = options;
  const sums: OrderCounts[] = Array.from({ length: characterOrder + wordOrder }, () => [0, 0, 0]);
  hypotheses.forEach((hypothesis, i) => {
    const ngrams = ngramsOf(hypothesis, options);
    let best: { readonly value: number; readonly counts: OrderCounts[] } | undefined;
    for (const reference of referencesOf(references, i)) {
      const others = ngramsOf(reference, options);
      const counts = ngrams.map((each, order) => compare(each, others[order]!));
      const value = fScore(counts, options);
      if (best === undefined || value > best.value) best = { value, counts };
    }
    best!.counts.forEach((counts, order) => {
      for (let k = 0; k < 3; k++) sums[order]![k]! += counts[k]!;
    });
  });
  return {
    score: fScore(sums, options),
    name: `chrF${beta}${'+'.repeat(wordOrder)}`,
    signature: signature({
      nrefs: countReferences(references),
      case: lowercase ? 'lc' : 'mixed',
      eff: yesOrNo(!epsilonSmoothing),
      nc: characterOrder,
      nw: wordOrder,
      space: yesOrNo(whitespace),
    }),
  };
}

function ngramsOf(text: string, { characterOrder, wordOrder, lowercase, whitespace }: Complete): Map<string, number>[] {
  const cased = lowercase ? text.toLowerCase() : text;
  const characters = [...(whitespace ? cased : removeSpaces(cased))];
  const words = wordOrder === 0 ? [] : splitWords(cased).flatMap(separateEnds);
  const counted: Map<string, number>[] = [];
  for (let order = 1; order <= characterOrder; order++) counted.push(countCharacterNgrams(characters, order));
  for (let order = 1; order <= wordOrder; order++) counted.push(countWordNgrams(words, order));
  return counted;
}

function countCharacterNgrams(characters: readonly string[], order: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + order <= characters.length; i++) {
    let ngram = characters[i]!;
    for (let k = 1; k < order; k++) ngram += characters[i + k]!;
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

const asciiPunctuation = new Set('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~');

/** One mark at the end of a word becomes a word, or else one at its beginning: `(hi)` gives `(hi` and `)`. */
function separateEnds(word: string): string[] {
  if (word.length === 1) return [word];
  if (asciiPunctuation.has(word.at(-1)!)) return [word.slice(0, -1), word.at(-1)!];
  if (asciiPunctuation.has(word[0]!)) return [word[0]!, word.slice(1)];
  return [word];
}

function compare(hypothesis: ReadonlyMap<string, number>, reference: ReadonlyMap<string, number>): OrderCounts {
  let [ours, theirs, matches] = [0, 0, 0];
  for (const [ngram, count] of hypothesis) {
    ours += count;
    matches += Math.min(count, reference.get(ngram) ?? 0);
  }
  for (const count of reference.values()) theirs += count;
  // An order that the reference lacks is no fault of the hypothesis.
  return [theirs === 0 ? 0 : ours, theirs, matches];
}

function fScore(counts: readonly OrderCounts[], { beta, epsilonSmoothing }: Complete): number {
  const epsilon = 1e-16;
  const factor = beta ** 2;
  let [sum, orders, precisions, recalls] = [0, 0, 0, 0];
  for (const [ours, theirs, matches] of counts) {
    const precision = ours > 0 ? matches / ours : epsilon;
    const recall = theirs > 0 ? matches / theirs : epsilon;
    const divisor = factor * precision + recall;
    sum += divisor > 0 ? ((1 + factor) * precision * recall) / divisor : epsilon;
    if (ours > 0 && theirs > 0) {
      precisions += precision;
      recalls += recall;
      orders++;
    }
  }
  if (epsilonSmoothing) return (100 * sum) / counts.length;
  if (precisions + recalls === 0) return 0;
  const [precision, recall] = [precisions / orders, recalls / orders];
  return (100 * (1 + factor) * precision * recall) / (factor * precision + recall);
}

/** The line that sacreBLEU prints: `chrF2|nrefs:1|… = 58.31`. */
export function formatChrf({ name, signature, score }: ChrfScore): string {
  return `${name}|${signature} = ${fixed(score, 2)}`;
}
