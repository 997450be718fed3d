import { NonFiniteError } from '@ostinato/core';

/** log Σ exp(xᵢ), safe from overflow. −Infinity stands for an impossible token. */
function logSumExp(where: string, logits: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i]!;
    if (Number.isNaN(x) || x === Infinity) {
      const rule = 'logits must be finite, or -Infinity where a token is impossible';
      throw new NonFiniteError({ where, rule, got: `${x} for token ${i}` });
    }
    if (x > largest) largest = x;
  }
  if (largest === -Infinity) {
    throw new NonFiniteError({ where, rule: 'at least one token must be possible', got: `none of ${logits.length}` });
  }
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
  const total = logSumExp('softmax', logits);
  const probabilities = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) probabilities[i] = Math.exp(logits[i]! - total);
  return probabilities;
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
