import { checkNumber } from '@ostinato/core';
import { checkLogits, logSoftmax, softmax } from './softmax.ts';

// Every filter is pure: float32 [vocabulary] in, a new array out, with −Infinity for the tokens that are left out. All but
// `keepTypical` keep the most likely token. Definitions as in Hugging Face transformers. All throw NonFiniteError when a logit is NaN
// or +Infinity.

/** Which tokens `filterLogits` leaves possible, and how evenly. */
export interface FilterOptions {
  /** Divides the logits; below 1 sharper, above 1 flatter. Default 1. */
  readonly temperature?: number | undefined;
  /** Keeps the k most likely tokens. */
  readonly topK?: number | undefined;
  /** Keeps the fewest most likely tokens whose total probability reaches p. */
  readonly topP?: number | undefined;
  /** Keeps tokens at least this fraction as likely as the most likely one. */
  readonly minP?: number | undefined;
  /** Keeps the fewest most typical tokens whose total probability reaches p. */
  readonly typicalP?: number | undefined;
}

function keep(logits: Float32Array, isKept: (token: number) => boolean): Float32Array {
  return logits.map((x, token) => (isKept(token) ? x : -Infinity));
}

/** Share of `mass` that rounding may take from a sum of probabilities: logits are float32, the sum is float64. */
const rounding = 1e-9;

/** The first tokens of `order` whose total probability reaches `mass`; the one that reaches it is among them. */
function nucleus(order: readonly number[], probabilities: Float64Array, mass: number): Set<number> {
  const kept = new Set<number>();
  let total = 0;
  for (const token of order) {
    kept.add(token);
    total += probabilities[token]!;
    if (total >= mass * (1 - rounding)) break;
  }
  return kept;
}

/** Tokens of at least this probability, impossible ones never, by rising key; equal keys by index. */
function sortedBy(key: Float64Array | Float32Array, probabilities: Float64Array, least = 0): number[] {
  const tokens: number[] = [];
  for (let token = 0; token < key.length; token++) {
    if (probabilities[token]! >= least && probabilities[token]! > 0) tokens.push(token);
  }
  return tokens.sort((a, b) => key[a]! - key[b]! || a - b);
}

/**
 * xᵢ / temperature.
 *
 * @param logits float32 [vocabulary]
 * @throws ArgumentError unless temperature > 0; NonFiniteError when a logit is NaN or +Infinity
 */
export function scaleByTemperature(logits: Float32Array, temperature: number): Float32Array {
  checkNumber('scaleByTemperature', 'temperature', temperature, { above: 0 });
  checkLogits('scaleByTemperature', logits);
  return logits.map(x => x / temperature);
}

/**
 * Keeps the k largest logits, and all that equal the k-th. Fan et al. 2018, arXiv:1805.04833.
 *
 * @param logits float32 [vocabulary]
 * @throws ArgumentError unless k is an integer ≥ 1; NonFiniteError when a logit is NaN or +Infinity
 */
export function keepTopK(logits: Float32Array, k: number): Float32Array {
  checkNumber('keepTopK', 'topK', k, { integer: true, min: 1 });
  checkLogits('keepTopK', logits);
  if (k >= logits.length) return logits.slice();
  const threshold = logits.toSorted()[logits.length - k]!;
  return keep(logits, token => logits[token]! >= threshold);
}

/**
 * Nucleus sampling: keeps the smallest set of most likely tokens whose total probability is at least p. Of equally likely
 * tokens the first is taken first. Holtzman et al. 2019, arXiv:1904.09751, section 3.1.
 *
 * @param logits float32 [vocabulary]
 * @throws ArgumentError unless 0 < p ≤ 1; NonFiniteError when a logit is NaN or +Infinity
 */
export function keepTopP(logits: Float32Array, p: number): Float32Array {
  checkNumber('keepTopP', 'topP', p, { above: 0, max: 1 });
  checkLogits('keepTopP', logits);
  if (p === 1) return logits.slice();
  const probabilities = softmax(logits);
  // All tokens below (1 − p) / V together have less than 1 − p, so the others suffice; sorting all would take most of the time.
  const order = sortedBy(
    logits.map(x => -x),
    probabilities,
    (1 - p) / logits.length,
  );
  const kept = nucleus(order, probabilities, p);
  return keep(logits, token => kept.has(token));
}

/**
 * Keeps tokens with pᵢ ≥ minP · max p. Nguyen et al. 2024, arXiv:2407.01082.
 *
 * @param logits float32 [vocabulary]
 * @throws ArgumentError unless 0 ≤ minP ≤ 1; NonFiniteError when a logit is NaN or +Infinity
 */
export function keepMinP(logits: Float32Array, minP: number): Float32Array {
  checkNumber('keepMinP', 'minP', minP, { min: 0, max: 1 });
  checkLogits('keepMinP', logits);
  const probabilities = softmax(logits);
  const threshold = minP * probabilities.reduce((a, b) => Math.max(a, b));
  return keep(logits, token => probabilities[token]! >= threshold);
}

/**
 * Locally typical sampling: keeps the fewest tokens whose surprise −ln pᵢ is nearest to the entropy H = −Σ p ln p and whose
 * total probability is at least p. Meister et al. 2023, arXiv:2202.00666.
 *
 * @param logits float32 [vocabulary]
 * @throws ArgumentError unless 0 < p ≤ 1; NonFiniteError when a logit is NaN or +Infinity
 */
export function keepTypical(logits: Float32Array, p: number): Float32Array {
  checkNumber('keepTypical', 'typicalP', p, { above: 0, max: 1 });
  checkLogits('keepTypical', logits);
  if (p === 1) return logits.slice();
  const logProbabilities = logSoftmax(logits);
  const probabilities = logProbabilities.map(Math.exp);
  const entropy = -logProbabilities.reduce(
    (sum, l, token) => (l === -Infinity ? sum : sum + probabilities[token]! * l),
    0,
  );
  const distances = logProbabilities.map(l => Math.abs(-l - entropy));
  const order = sortedBy(distances, probabilities);
  const kept = nucleus(order, probabilities, p);
  return keep(logits, token => kept.has(token));
}

/**
 * All filters that the options name, in the order temperature, topK, topP, minP, typicalP; each sees what the ones before it
 * left.
 *
 * @param logits float32 [vocabulary]
 * @throws ArgumentError when an option is out of range; NonFiniteError when a logit is NaN or +Infinity
 */
export function filterLogits(
  logits: Float32Array,
  { temperature = 1, topK, topP, minP, typicalP }: FilterOptions = {},
): Float32Array {
  let filtered = scaleByTemperature(logits, temperature);
  if (topK !== undefined) filtered = keepTopK(filtered, topK);
  if (topP !== undefined) filtered = keepTopP(filtered, topP);
  if (minP !== undefined) filtered = keepMinP(filtered, minP);
  if (typicalP !== undefined) filtered = keepTypical(filtered, typicalP);
  return filtered;
}
