import { type BleuTokenizer, bleuTokenizers, tokenizeForBleu } from './bleu-tokenizers.ts';
import { checkChoice, checkNumber } from './errors.ts';
import { checkCorpus, countReferences, type References, referencesOf, signature, yesOrNo } from './references.ts';
import { countWordNgrams, fixed, splitWords, trimRight } from './text.ts';

/**
 * What takes the place of a precision of 0 (Chen & Cherry 2014, W14-3346): `exp` 1/2, 1/4 … of one match, method 3, as
 * mteval does · `floor` a small count, method 1 · `add-k` k more matches and k more n-grams from order 2 on, method 2 · `none`.
 */
export type BleuSmoothing = 'exp' | 'floor' | 'add-k' | 'none';

/** Every `BleuSmoothing`. */
export const bleuSmoothings: readonly BleuSmoothing[] = ['exp', 'floor', 'add-k', 'none'];

/** Options of `corpusBleu` and `sentenceBleu`; the defaults are sacreBLEU's. */
export interface BleuOptions {
  /** Default `13a`. */
  readonly tokenize?: BleuTokenizer | undefined;
  /** Whether upper and lower case are the same. Default false. */
  readonly lowercase?: boolean | undefined;
  /** Default `exp`. */
  readonly smoothing?: BleuSmoothing | undefined;
  /** The count of `floor` (default 0.1) and the k of `add-k` (default 1). */
  readonly smoothingValue?: number | undefined;
  /** N, the longest n-gram. Default 4. */
  readonly maximumOrder?: number | undefined;
  /** Whether orders that the hypothesis is too short for are left out. Default: false for a corpus, true for a sentence. */
  readonly effectiveOrder?: boolean | undefined;
}

/** What `corpusBleu` and `sentenceBleu` give back. */
export interface BleuScore {
  /** 0 … 100. */
  readonly score: number;
  /** Of each order 1 … N, in per cent, smoothed. */
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  /** Tokens of the hypotheses. */
  readonly hypothesisLength: number;
  /** Tokens of the references, for each hypothesis of the one closest in length. */
  readonly referenceLength: number;
  /** Matching n-grams of each order. */
  readonly matches: readonly number[];
  /** N-grams of each order in the hypotheses. */
  readonly totals: readonly number[];
  /** How it was computed, in sacreBLEU's form. */
  readonly signature: string;
}

const defaultValues: Readonly<Record<BleuSmoothing, number | undefined>> = {
  exp: undefined,
  floor: 0.1,
  'add-k': 1,
  none: undefined,
};

interface Complete {
  readonly tokenize: BleuTokenizer;
  readonly lowercase: boolean;
  readonly smoothing: BleuSmoothing;
  readonly smoothingValue: number | undefined;
  readonly maximumOrder: number;
  readonly effectiveOrder: boolean;
}

function complete(where: string, options: BleuOptions, effective: boolean): Complete {
  const {
    tokenize = '13a',
    lowercase = false,
    smoothing = 'exp',
    maximumOrder = 4,
    effectiveOrder = effective,
  } = options;
  checkChoice(where, 'tokenize', tokenize, bleuTokenizers);
  checkChoice(where, 'smoothing', smoothing, bleuSmoothings);
  checkNumber(where, 'maximumOrder', maximumOrder, { integer: true, min: 1 });
  const smoothingValue = options.smoothingValue ?? defaultValues[smoothing];
  if (smoothingValue !== undefined) checkNumber(where, 'smoothingValue', smoothingValue, { min: 0 });
  return { tokenize, lowercase, smoothing, smoothingValue, maximumOrder, effectiveOrder };
}

/**
 * BLEU of a corpus, equal to sacreBLEU's.
 *
 *   p_n   = Σ_sentences Σ_ngrams min(count in hypothesis, most in one reference) / Σ count in hypothesis, in per cent
 *   BP    = 1 if c ≥ r, else e^(1 − r/c), c and r the lengths of hypotheses and closest references in tokens
 *   BLEU  = BP · exp(1/N Σ_n ln p_n)
 *
 * Source: Papineni et al. 2002, ACL P02-1040; Post 2018, arXiv 1804.08771.
 *
 * @throws MetricError when there is no hypothesis, one has no reference, or an option is not allowed
 */
export function corpusBleu(
  hypotheses: readonly string[],
  references: References,
  options: BleuOptions = {},
): BleuScore {
  const all = complete('corpusBleu', options, false);
  checkCorpus('corpusBleu', hypotheses, references);
  return score(hypotheses, references, all);
}

/**
 * BLEU of one sentence, as `corpusBleu` computes it, with `effectiveOrder` on: short sentences have no 4-grams.
 *
 * @param references one or several
 * @throws MetricError as `corpusBleu` does
 */
export function sentenceBleu(
  hypothesis: string,
  references: string | readonly string[],
  options: BleuOptions = {},
): BleuScore {
  const all = complete('sentenceBleu', options, true);
  checkCorpus('sentenceBleu', [hypothesis], [references]);
  return score([hypothesis], [references], all);
}

function score(hypotheses: readonly string[], references: References, options: Complete): BleuScore {
  const { tokenize, lowercase, maximumOrder } = options;
  const wordsOf = (text: string): string[] =>
    splitWords(tokenizeForBleu(trimRight(lowercase ? text.toLowerCase() : text), tokenize));
  const matches = new Array<number>(maximumOrder).fill(0);
  const totals = new Array<number>(maximumOrder).fill(0);
  let [hypothesisLength, referenceLength] = [0, 0];
  hypotheses.forEach((hypothesis, i) => {
    const words = wordsOf(hypothesis);
    const others = referencesOf(references, i).map(wordsOf);
    hypothesisLength += words.length;
    referenceLength += closest(
      words.length,
      others.map(({ length }) => length),
    );
    for (let order = 1; order <= maximumOrder; order++) {
      const counts = countWordNgrams(words, order);
      const most = others.map(other => countWordNgrams(other, order));
      for (const [ngram, count] of counts) {
        totals[order - 1]! += count;
        matches[order - 1]! += Math.min(count, Math.max(...most.map(each => each.get(ngram) ?? 0)));
      }
    }
  });
  const { smoothing, smoothingValue, effectiveOrder } = options;
  const smooth = smoothingValue === undefined ? smoothing : `${smoothing}[${fixed(smoothingValue, 2)}]`;
  return {
    ...combine({ matches, totals, hypothesisLength, referenceLength }, options),
    signature: signature({
      nrefs: countReferences(references),
      case: lowercase ? 'lc' : 'mixed',
      eff: yesOrNo(effectiveOrder),
      tok: tokenize,
      smooth,
    }),
  };
}

/** The length closest to `length`; of two equally close ones the shorter. */
function closest(length: number, lengths: readonly number[]): number {
  return lengths.reduce((best, each) => {
    const nearer = Math.abs(each - length) - Math.abs(best - length);
    return nearer < 0 || (nearer === 0 && each < best) ? each : best;
  });
}

interface Counts {
  readonly matches: number[];
  readonly totals: number[];
  readonly hypothesisLength: number;
  readonly referenceLength: number;
}

function combine(
  { matches, totals, hypothesisLength: c, referenceLength: r }: Counts,
  { smoothing, smoothingValue = 0, maximumOrder, effectiveOrder }: Complete,
): Omit<BleuScore, 'signature'> {
  const brevityPenalty = c >= r ? 1 : c > 0 ? Math.exp(1 - r / c) : 0;
  const precisions = new Array<number>(maximumOrder).fill(0);
  const result = { precisions, brevityPenalty, hypothesisLength: c, referenceLength: r, matches, totals };
  // Smoothing makes no score out of nothing.
  if (matches.every(count => count === 0)) return { score: 0, ...result };
  let missing = 1;
  let orders = maximumOrder;
  for (let n = 0; n < maximumOrder; n++) {
    if (smoothing === 'add-k' && n > 0) {
      matches[n]! += smoothingValue;
      totals[n]! += smoothingValue;
    }
    if (totals[n] === 0) break;
    if (effectiveOrder) orders = n + 1;
    if (matches[n] !== 0) precisions[n] = (100 * matches[n]!) / totals[n]!;
    else if (smoothing === 'floor') precisions[n] = (100 * smoothingValue) / totals[n]!;
    else if (smoothing === 'exp') {
      missing *= 2;
      precisions[n] = 100 / (missing * totals[n]!);
    }
  }
  // ln 0 is a large negative number rather than −∞, as in sacreBLEU: e to it is 0 all the same.
  const logarithms = precisions.slice(0, orders).map(p => (p === 0 ? -9999999999 : Math.log(p)));
  const mean = logarithms.reduce((sum, value) => sum + value, 0) / orders;
  return { score: brevityPenalty * Math.exp(mean), ...result };
}

/**
 * The line that sacreBLEU prints:
 * `BLEU|nrefs:1|… = 30.12 61.0/36.1/24.0/16.2 (BP = 0.990 ratio = 0.990 hyp_len = 12860 ref_len = 12988)`.
 */
export function formatBleu(result: BleuScore): string {
  const { score, precisions, brevityPenalty, hypothesisLength, referenceLength } = result;
  const ratio = referenceLength === 0 ? 0 : hypothesisLength / referenceLength;
  const each = precisions.map(p => fixed(p, 1)).join('/');
  const lengths = `hyp_len = ${hypothesisLength} ref_len = ${referenceLength}`;
  const details = `(BP = ${fixed(brevityPenalty, 3)} ratio = ${fixed(ratio, 3)} ${lengths})`;
  return `BLEU|${result.signature} = ${fixed(score, 2)} ${each} ${details}`;
}
