import { checkCorpus, countReferences, type References, referencesOf, signature, yesOrNo } from './references.ts';
import { BeamEditDistance } from './ter-distance.ts';
import { type TerTokenization, tokenizeForTer } from './ter-tokenizer.ts';
import { fixed } from './text.ts';

/** Options of `corpusTer` and `sentenceTer`; the defaults are sacreBLEU's. */
export interface TerOptions {
  /** Whether punctuation is separated from words and entities are resolved. Default false. */
  readonly normalized?: boolean | undefined;
  /** Whether punctuation is dropped. Default false. */
  readonly removePunctuation?: boolean | undefined;
  /** Whether the two options above know East Asian characters. Default false. */
  readonly asian?: boolean | undefined;
  /** Whether upper and lower case differ. Default false. */
  readonly caseSensitive?: boolean | undefined;
}

/** What `corpusTer` and `sentenceTer` give back. */
export interface TerScore {
  /** Edits per 100 words of the references: 0 is perfect, more than 100 is possible. */
  readonly score: number;
  /** Insertions, removals, substitutions and shifts. */
  readonly edits: number;
  /** Words of the references, a mean where a sentence has several. */
  readonly referenceLength: number;
  /** How it was computed, in sacreBLEU's form. */
  readonly signature: string;
}

/** Limits of Tercom, and sacreBLEU's on the number of shifts that are tried for one sentence. */
const longestShift = 10;
const farthestShift = 50;
const mostCandidates = 1000;

/**
 * Translation edit rate of a corpus, equal to sacreBLEU's:
 * TER = 100 · Σ least edits to a reference / Σ mean length of the references, where an edit is the insertion, removal or
 * substitution of a word, or the shift of a phrase, found greedily.
 *
 * Source: Snover et al. 2006, A study of translation edit rate with targeted human annotation; Tercom.
 *
 * @throws MetricError when there is no hypothesis, or one has no reference
 */
export function corpusTer(hypotheses: readonly string[], references: References, options: TerOptions = {}): TerScore {
  checkCorpus('corpusTer', hypotheses, references);
  return score(hypotheses, references, options);
}

/**
 * Translation edit rate of one sentence.
 *
 * @param references one or several
 * @throws MetricError as `corpusTer` does
 */
export function sentenceTer(
  hypothesis: string,
  references: string | readonly string[],
  options: TerOptions = {},
): TerScore {
  checkCorpus('sentenceTer', [hypothesis], [references]);
  return score([hypothesis], [references], options);
}

function score(hypotheses: readonly string[], references: References, options: TerOptions): TerScore {
  const { normalized = false, removePunctuation = false, asian = false, caseSensitive = false } = options;
  const tokenization: TerTokenization = { normalized, removePunctuation, asian, caseSensitive };
  let [edits, referenceLength] = [0, 0];
  hypotheses.forEach((hypothesis, i) => {
    const words = tokenizeForTer(hypothesis, tokenization);
    // References twice, as sacreBLEU 2.6.0 does: with `normalized` "it's, so" is three words after one pass, four after two.
    const others = referencesOf(references, i).map(text =>
      tokenizeForTer(tokenizeForTer(text, tokenization).join(' '), tokenization),
    );
    edits += Math.min(...others.map(other => countEdits(words, other)));
    referenceLength += others.reduce((sum, { length }) => sum + length, 0) / others.length;
  });
  const rate = referenceLength > 0 ? edits / referenceLength : edits > 0 ? 1 : 0;
  return {
    score: 100 * rate,
    edits,
    referenceLength,
    signature: signature({
      nrefs: countReferences(references),
      case: caseSensitive ? 'mixed' : 'lc',
      tok: 'tercom',
      norm: yesOrNo(normalized),
      punct: yesOrNo(!removePunctuation),
      asian: yesOrNo(asian),
    }),
  };
}

/** Shifts, and the edit distance behind them. */
function countEdits(hypothesis: readonly string[], reference: readonly string[]): number {
  if (reference.length === 0) return hypothesis.length;
  const numbers = new Map<string, number>();
  const number = (word: string): number => {
    const known = numbers.get(word) ?? numbers.size;
    numbers.set(word, known);
    return known;
  };
  const target = Int32Array.from(reference, number);
  let words = Int32Array.from(hypothesis, number);
  const table = new BeamEditDistance(target, words.length);
  let [shifts, tried] = [0, 0];
  for (;;) {
    const found = bestShift(words, target, table, tried);
    tried = found.tried;
    if (tried >= mostCandidates || found.gain <= 0) break;
    shifts++;
    words = found.words;
  }
  return shifts + table.distance(words);
}

interface Shift {
  readonly gain: number;
  readonly length: number;
  readonly start: number;
  readonly target: number;
  readonly words: Int32Array<ArrayBuffer>;
}

/** Tercom's order: most gain, then longest, then from the earliest place, then to the earliest place. */
function isBetter(a: Shift, b: Shift): boolean {
  if (a.gain !== b.gain) return a.gain > b.gain;
  if (a.length !== b.length) return a.length > b.length;
  if (a.start !== b.start) return a.start < b.start;
  return a.target < b.target;
}

/** The shift of a phrase that lowers the edit distance most; no gain when there is none to try. */
function bestShift(
  words: Int32Array<ArrayBuffer>,
  reference: Int32Array,
  table: BeamEditDistance,
  triedBefore: number,
): { readonly gain: number; readonly words: Int32Array<ArrayBuffer>; readonly tried: number } {
  const before = table.distance(words);
  const { target, referenceErrors, hypothesisErrors } = table.alignment();
  let best: Shift | undefined;
  let tried = triedBefore;
  for (const [start, place, length] of commonPhrases(words, reference)) {
    // A phrase that is right where it is, or is there already, stays.
    if (!hasError(hypothesisErrors, start, length) || !hasError(referenceErrors, place, length)) continue;
    if (start <= target[place]! && target[place]! < start + length) continue;
    let last = -1;
    for (let offset = -1; offset < length && place + offset < reference.length; offset++) {
      const to = place + offset === -1 ? 0 : target[place + offset]! + 1;
      if (to === last) continue;
      last = to;
      const shifted = shift(words, start, length, to);
      const candidate = { gain: before - table.distance(shifted), length, start, target: to, words: shifted };
      tried++;
      if (best === undefined || isBetter(candidate, best)) best = candidate;
    }
    if (tried >= mostCandidates) break;
  }
  return best === undefined ? { gain: 0, words, tried } : { gain: best.gain, words: best.words, tried };
}

const hasError = (errors: Uint8Array, start: number, length: number): boolean =>
  errors.subarray(start, start + length).some(error => error === 1);

/** Every phrase that hypothesis and reference share: where it begins in each, and its length, shorter ones first. */
function* commonPhrases(
  words: Int32Array,
  reference: Int32Array,
): Generator<[number, number, number], void, undefined> {
  for (let i = 0; i < words.length; i++) {
    const end = Math.min(reference.length - 1, i + farthestShift);
    for (let j = Math.max(0, i - farthestShift); j <= end; j++) {
      for (let k = 0; k < longestShift; k++) {
        if (i + k >= words.length || j + k >= reference.length || words[i + k] !== reference[j + k]) break;
        yield [i, j, k + 1];
      }
    }
  }
}

/** The words with `length` of them from `start` moved to before what was at `to`. */
function shift(words: Int32Array, start: number, length: number, to: number): Int32Array<ArrayBuffer> {
  const phrase = words.subarray(start, start + length);
  const result = new Int32Array(words);
  if (to < start) {
    result.set(phrase, to);
    result.set(words.subarray(to, start), to + length);
  } else {
    // Into the phrase itself: as many words to the right, as Tercom does.
    const end = to > start + length ? to : Math.min(words.length, length + to);
    result.set(words.subarray(start + length, end), start);
    result.set(phrase, end - length);
  }
  return result;
}

/** The line that sacreBLEU prints: `TER|nrefs:1|… = 21.52`. */
export function formatTer({ signature, score }: TerScore): string {
  return `TER|${signature} = ${fixed(score, 2)}`;
}
