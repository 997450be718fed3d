import { checkNumber } from './errors.ts';
import { checkCorpus, type References, referencesOf } from './references.ts';
import { countWordNgrams, splitWords } from './text.ts';

/** Options of `corpusCider`. */
export interface CiderOptions {
  /** The words of a caption. Default: at white space. coco-caption applies the Penn Treebank's rules before that. */
  readonly words?: ((text: string) => readonly string[]) | undefined;
  /** Longest n-gram. Default 4. */
  readonly maximumOrder?: number | undefined;
  /** σ of the penalty for a difference in length, in words. Default 6. */
  readonly sigma?: number | undefined;
}

/** What `corpusCider` gives back. */
export interface CiderScore {
  /** Mean of `perCaption`. */
  readonly score: number;
  /** Of each hypothesis, 0 … 10. */
  readonly perCaption: readonly number[];
}

/**
 * CIDEr-D of captions, as coco-caption computes it: 0 without a common n-gram, 10 for a caption equal to all its references
 * that has n-grams of all orders.
 *
 *   g(c)[w]   = count of the n-gram w in c · ln(pictures / pictures whose references have w)
 *   CIDEr-D_n = 10 · mean over references r of Σ_w min(g(c)[w], g(r)[w]) g(r)[w] / (‖g(c)‖ ‖g(r)‖) · e^(−(|c| − |r|)² / 2σ²)
 *   CIDEr-D   = mean over n = 1 … 4
 *
 * |c| is the number of pairs of words, as in that code. Document frequencies come from the references given: figures of
 * different sets do not compare, and with one picture everything is 0.
 *
 * Source: Vedantam et al. 2015, arXiv 1411.5726, section 4 and appendix.
 *
 * @param references references[i] holds all captions of picture i
 * @throws MetricError when there is no hypothesis, one has no reference, or an option is not allowed
 */
export function corpusCider(
  hypotheses: readonly string[],
  references: References,
  { words = splitWords, maximumOrder = 4, sigma = 6 }: CiderOptions = {},
): CiderScore {
  checkNumber('corpusCider', 'maximumOrder', maximumOrder, { integer: true, min: 1 });
  checkNumber('corpusCider', 'sigma', sigma, { above: 0 });
  checkCorpus('corpusCider', hypotheses, references);
  const count = (text: string): Caption => {
    const each = words(text);
    return {
      pairs: Math.max(0, each.length - 1),
      orders: Array.from({ length: maximumOrder }, (_, n) => countWordNgrams(each, n + 1)),
    };
  };
  const captions = references.map((_, i) => referencesOf(references, i).map(count));
  const idf = inverseFrequencies(captions);
  const perCaption = hypotheses.map((hypothesis, i) => {
    const counted = count(hypothesis);
    const ours = weigh(counted, idf, references.length);
    const similarities = captions[i]!.map(caption => {
      const penalty = Math.exp(-((counted.pairs - caption.pairs) ** 2) / (2 * sigma ** 2));
      const theirs = weigh(caption, idf, references.length);
      return ours.reduce((sum, weighted, n) => sum + similarity(weighted, theirs[n]!) * penalty, 0);
    });
    return (10 * total(similarities)) / similarities.length / maximumOrder;
  });
  return { score: total(perCaption) / perCaption.length, perCaption };
}

interface Caption {
  /** Pairs of words, which stands for the length. */
  readonly pairs: number;
  /** N-grams of each order. */
  readonly orders: readonly ReadonlyMap<string, number>[];
}

/** ln(pictures / pictures with the n-gram) of every n-gram of the references. */
function inverseFrequencies(captions: readonly (readonly Caption[])[]): Map<string, number> {
  const pictures = new Map<string, number>();
  for (const each of captions) {
    const ngrams = new Set(each.flatMap(({ orders }) => orders.flatMap(counts => [...counts.keys()])));
    for (const ngram of ngrams) pictures.set(ngram, (pictures.get(ngram) ?? 0) + 1);
  }
  for (const [ngram, frequency] of pictures) pictures.set(ngram, Math.log(captions.length) - Math.log(frequency));
  return pictures;
}

interface Weighted {
  readonly weights: ReadonlyMap<string, number>;
  readonly norm: number;
}

/** An n-gram that no reference has weighs as one that a single picture has. */
function weigh({ orders }: Caption, idf: ReadonlyMap<string, number>, pictures: number): Weighted[] {
  return orders.map(counts => {
    const weights = new Map<string, number>();
    let squares = 0;
    for (const [ngram, count] of counts) {
      const weight = count * (idf.get(ngram) ?? Math.log(pictures));
      weights.set(ngram, weight);
      squares += weight ** 2;
    }
    return { weights, norm: Math.sqrt(squares) };
  });
}

function similarity(ours: Weighted, theirs: Weighted): number {
  if (ours.norm === 0 || theirs.norm === 0) return 0;
  let product = 0;
  for (const [ngram, weight] of ours.weights) {
    const other = theirs.weights.get(ngram) ?? 0;
    product += Math.min(weight, other) * other;
  }
  return product / (ours.norm * theirs.norm);
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
