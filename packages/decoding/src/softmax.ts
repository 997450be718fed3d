import { NonFiniteError } from '@ostinato/core';

/**
 * The largest logit. −Infinity stands for an impossible token.
 *
 * @throws NonFiniteError when a logit is NaN or +Infinity
 */
export function checkLogits(where: string, logits: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i]!;
    if (Number.isNaN(x) || x === Infinity) {
      const rule = 'logits must be finite, or -Infinity where a token is impossible';
      throw new NonFiniteError({ where, rule, got: `${x} for token ${i}` });
    }
    if (x > largest) largest = x;
  }
  return largest;
}

/** `checkLogits` of logits of which one at least must be possible. @throws NonFiniteError also when all are −Infinity */
export function checkPossible(where: string, logits: ArrayLike<number>): number {
  const largest = checkLogits(where, logits);
  if (largest > -Infinity) return largest;
  throw new NonFiniteError({ where, rule: 'at least one token must be possible', got: `none of ${logits.length}` });
}

/** exp(xᵢ − max x) and their sum, safe from overflow. */
function exponentials(
  where: string,
  logits: ArrayLike<number>,
): { values: Float64Array; sum: number; largest: number } {
  const largest = checkPossible(where, logits);
  const values = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    values[i] = Math.exp(logits[i]! - largest);
    sum += values[i]!;
  }
  return { values, sum, largest };
}

/** ln Σⱼ exp(xⱼ): what a logit lacks to be a log-probability. Keeps no array. Throws as `logSoftmax` does. */
export function logSumExp(where: string, logits: ArrayLike<number>): number {
  const largest = checkPossible(where, logits);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - largest);
  return largest + Math.log(sum);
}

/**
 * Probabilities pᵢ = exp(xᵢ) / Σⱼ exp(xⱼ), in float64.
 *
 * @param logits [vocabulary]; −Infinity gives 0
 * @throws NonFiniteError when a logit is NaN or +Infinity, or all are −Infinity
 */
export function softmax(logits: ArrayLike<number>): Float64Array {
  const { values, sum } = exponentials('softmax', logits);
  return values.map(value => value / sum);
}

/**
 * Log-probabilities ln pᵢ = xᵢ − ln Σⱼ exp(xⱼ), in float64.
 *
 * @param logits [vocabulary]; −Infinity stays −Infinity
 * @throws NonFiniteError when a logit is NaN or +Infinity, or all are −Infinity
 */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const total = logSumExp('logSoftmax', logits);
  const logProbabilities = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) logProbabilities[i] = logits[i]! - total;
  return logProbabilities;
}
