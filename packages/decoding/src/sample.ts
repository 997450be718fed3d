import { ArgumentError, checkNumber, type Rng } from '@ostinato/core';
import { type FilterOptions, filterLogits } from './filters.ts';
import { blockRepeatedNgrams, penalizeRepetition, suppressTokens } from './penalties.ts';
import { checkPossible, softmax } from './softmax.ts';

/** How the next token is chosen. */
export interface SamplingOptions extends FilterOptions {
  /** Default 1. 0 is greedy: always the most likely token, without random numbers. */
  readonly temperature?: number | undefined;
  /** Above 1: tokens that occurred, in the prompt too, become less likely. Default 1. */
  readonly repetitionPenalty?: number | undefined;
  /** No run of so many tokens occurs twice. Default: no such rule. */
  readonly noRepeatNgram?: number | undefined;
  /** Tokens that are never chosen. Default: none. */
  readonly suppress?: readonly number[] | undefined;
}

/** Arguments of `chooseToken`. */
export interface ChooseOptions extends SamplingOptions {
  /** Needed unless the temperature is 0; one number is drawn. */
  readonly rng?: Rng | undefined;
  /** The tokens so far, prompt included, for the rules about repetition. Default: none. */
  readonly previous?: ArrayLike<number> | undefined;
}

/** The index of the largest value, the first of equal ones: the greedy choice. */
export function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/**
 * Sampling by the inverse of the distribution function: the first token whose cumulative probability exceeds u.
 *
 * @param probabilities [vocabulary], with sum 1 up to rounding
 * @param u in [0, 1), uniform
 */
export function sampleInverse(probabilities: ArrayLike<number>, u: number): number {
  checkNumber('sampleInverse', 'u', u, { min: 0, below: 1 });
  let cumulative = 0;
  let last = 0;
  for (let token = 0; token < probabilities.length; token++) {
    if (probabilities[token] === 0) continue;
    cumulative += probabilities[token]!;
    if (cumulative > u) return token;
    last = token;
  }
  return last; // rounding left the total a little below u
}

/** @throws ArgumentError when an option is out of range, or an rng is needed and there is none */
export function checkSampling(where: string, options: SamplingOptions & { readonly rng?: unknown }): void {
  const { temperature = 1, topK, topP, minP, typicalP, repetitionPenalty, noRepeatNgram, rng } = options;
  checkNumber(where, 'temperature', temperature, { min: 0 });
  if (topK !== undefined) checkNumber(where, 'topK', topK, { integer: true, min: 1 });
  if (topP !== undefined) checkNumber(where, 'topP', topP, { above: 0, max: 1 });
  if (minP !== undefined) checkNumber(where, 'minP', minP, { min: 0, max: 1 });
  if (typicalP !== undefined) checkNumber(where, 'typicalP', typicalP, { above: 0, max: 1 });
  if (repetitionPenalty !== undefined) checkNumber(where, 'repetitionPenalty', repetitionPenalty, { above: 0 });
  if (noRepeatNgram !== undefined) checkNumber(where, 'noRepeatNgram', noRepeatNgram, { integer: true, min: 1 });
  if (temperature > 0 && rng === undefined) {
    const advice = 'Pass { rng: new Rng(seed) }, or { temperature: 0 } for the most likely tokens.';
    throw new ArgumentError({ where, rule: 'sampling needs an rng', got: 'none', advice });
  }
}

/**
 * Chooses the next token: suppressed tokens, repetition penalty and blocked runs first, then temperature, topK, topP, minP
 * and typicalP, then one draw by inverse distribution function; with temperature 0 the most likely token that is left.
 *
 * @param logits float32 [vocabulary]
 * @throws ArgumentError when an option is out of range, or the rules forbid every token
 * @throws NonFiniteError when a logit is NaN or +Infinity, or all are −Infinity
 */
export function chooseToken(logits: Float32Array, options: ChooseOptions = {}): number {
  checkSampling('chooseToken', options);
  const { temperature = 1, repetitionPenalty = 1, noRepeatNgram, suppress = [], rng, previous = [] } = options;
  checkPossible('chooseToken', logits);
  let allowed = logits;
  if (suppress.length > 0) allowed = suppressTokens(allowed, suppress);
  if (repetitionPenalty !== 1) allowed = penalizeRepetition(allowed, previous, repetitionPenalty);
  if (noRepeatNgram !== undefined) allowed = blockRepeatedNgrams(allowed, previous, noRepeatNgram);
  if (allowed !== logits && allowed.every(x => x === -Infinity)) {
    throw new ArgumentError({
      where: 'chooseToken',
      rule: 'the rules must leave a token',
      got: `suppress and noRepeatNgram forbid all ${logits.length}`,
    });
  }
  // Of the filters typicalP alone may leave the most likely token out.
  const greedy = temperature === 0;
  if (greedy && options.typicalP === undefined) return argMax(allowed);
  const filtered = filterLogits(allowed, greedy ? { ...options, temperature: 1 } : options);
  return greedy ? argMax(filtered) : sampleInverse(softmax(filtered), rng!.next());
}
