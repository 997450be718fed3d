import { ArgumentError, checkNumber } from '@ostinato/core';

/**
 * Makes tokens that occurred less likely: a positive logit of each distinct previous token is divided by `penalty`, a
 * negative one multiplied by it. Keskar et al. 2019 (CTRL), arXiv:1909.05858, section 4.1, as in Hugging Face transformers.
 *
 * @param logits float32 [vocabulary]
 * @param previous the tokens so far, prompt included
 * @returns a new array
 * @throws ArgumentError unless penalty > 0, or when a token is outside the vocabulary
 */
export function penalizeRepetition(logits: Float32Array, previous: ArrayLike<number>, penalty: number): Float32Array {
  checkNumber('penalizeRepetition', 'repetitionPenalty', penalty, { above: 0 });
  const penalized = logits.slice();
  for (const token of new Set(Array.from(previous))) {
    checkToken('penalizeRepetition', token, logits.length);
    const x = logits[token]!;
    penalized[token] = x > 0 ? x / penalty : x * penalty;
  }
  return penalized;
}

/**
 * Makes impossible every token that would complete a run of n tokens that has occurred. Paulus et al. 2017,
 * arXiv:1705.04304, section 2.5, as in Hugging Face transformers.
 *
 * @param logits float32 [vocabulary]
 * @param previous the tokens so far, prompt included
 * @returns a new array, with −Infinity for these tokens
 * @throws ArgumentError unless n is an integer ≥ 1, or when a token is outside the vocabulary
 */
export function blockRepeatedNgrams(logits: Float32Array, previous: ArrayLike<number>, n: number): Float32Array {
  checkNumber('blockRepeatedNgrams', 'noRepeatNgram', n, { integer: true, min: 1 });
  const blocked = logits.slice();
  const end = previous.length - (n - 1); // where the last n − 1 tokens begin
  for (let start = 0; start < end; start++) {
    let same = 0;
    while (same < n - 1 && previous[start + same] === previous[end + same]) same++;
    if (same < n - 1) continue;
    const token = previous[start + n - 1]!;
    checkToken('blockRepeatedNgrams', token, logits.length);
    blocked[token] = -Infinity;
  }
  return blocked;
}

/**
 * Makes tokens impossible: `<unk>` or `<pad>`, which a text should not contain.
 *
 * @param logits float32 [vocabulary]
 * @returns a new array
 * @throws ArgumentError when a token is outside the vocabulary
 */
export function suppressTokens(logits: Float32Array, tokens: ArrayLike<number>): Float32Array {
  const suppressed = logits.slice();
  for (const token of Array.from(tokens)) {
    checkToken('suppressTokens', token, logits.length);
    suppressed[token] = -Infinity;
  }
  return suppressed;
}

function checkToken(where: string, token: number, vocabularySize: number): void {
  if (Number.isInteger(token) && token >= 0 && token < vocabularySize) return;
  const expected = `an integer in 0 … ${vocabularySize - 1}`;
  throw new ArgumentError({ where, rule: 'a token must be in the vocabulary', expected, got: String(token) });
}
