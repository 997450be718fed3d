import { checkNumber, MetricError } from './errors.ts';

/*
 * One loss, several units. H is the cross-entropy in nats per token: the mean of −ln p(token | tokens before it).
 *   perplexity            = e^H
 *   bits per token        = H / ln 2
 *   bits per character    = H / ln 2 · tokens / characters
 */

/**
 * e^H of a cross-entropy H ≥ 0 in nats per token: the number of equally likely tokens that would be as hard to guess.
 *
 * @throws MetricError when nats is negative or not finite
 */
export function perplexity(nats: number): number {
  checkNumber('perplexity', 'nats', nats, { min: 0 });
  return Math.exp(nats);
}

/**
 * ln of a perplexity: nats per token.
 *
 * @throws MetricError when the perplexity is below 1 or not finite
 */
export function natsFromPerplexity(value: number): number {
  checkNumber('natsFromPerplexity', 'perplexity', value, { min: 1 });
  return Math.log(value);
}

/**
 * H / ln 2: bits per token of H ≥ 0 nats per token.
 *
 * @throws MetricError when nats is negative or not finite
 */
export function bitsPerToken(nats: number): number {
  checkNumber('bitsPerToken', 'nats', nats, { min: 0 });
  return nats / Math.LN2;
}

/**
 * bits · ln 2: nats per token of bits per token.
 *
 * @throws MetricError when bits is negative or not finite
 */
export function natsFromBits(bits: number): number {
  checkNumber('natsFromBits', 'bits', bits, { min: 0 });
  return bits * Math.LN2;
}

/** Size of a text in tokens and in characters. */
export interface TextSize {
  /** Tokens whose loss was measured. */
  readonly tokens: number;
  /** Characters that these tokens stand for. */
  readonly characters: number;
}

/**
 * H / ln 2 · tokens / characters: bits per character of H nats per token. It compares models with different tokenizers; for
 * a character model it is `bitsPerToken`.
 *
 * @throws MetricError when nats is negative or not finite, or a size is no positive integer
 */
export function bitsPerCharacter(nats: number, { tokens, characters }: TextSize): number {
  checkNumber('bitsPerCharacter', 'nats', nats, { min: 0 });
  checkNumber('bitsPerCharacter', 'tokens', tokens, { integer: true, min: 1 });
  checkNumber('bitsPerCharacter', 'characters', characters, { integer: true, min: 1 });
  return ((nats / Math.LN2) * tokens) / characters;
}

/**
 * bits · ln 2 · characters / tokens: nats per token of bits per character.
 *
 * @throws MetricError when bits is negative or not finite, or a size is no positive integer
 */
export function natsFromBitsPerCharacter(bits: number, { tokens, characters }: TextSize): number {
  checkNumber('natsFromBitsPerCharacter', 'bits', bits, { min: 0 });
  checkNumber('natsFromBitsPerCharacter', 'tokens', tokens, { integer: true, min: 1 });
  checkNumber('natsFromBitsPerCharacter', 'characters', characters, { integer: true, min: 1 });
  return (bits * Math.LN2 * characters) / tokens;
}

/**
 * Running mean of a loss over tokens: Σ nᵢ·Lᵢ / Σ nᵢ, where batch i has the mean loss Lᵢ over nᵢ tokens. A mean of batch
 * means would be wrong when batches differ in size.
 *
 * Sums are compensated (Neumaier 1974), so that millions of batches lose no digits.
 */
export class TokenLossMean {
  #sum = 0;
  #compensation = 0;
  #tokens = 0;

  /** Tokens added so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /**
   * Adds a batch.
   *
   * @param meanLoss mean loss of the batch in nats per token
   * @param tokens number of tokens that it is the mean of, padding not counted; a batch of 0 tokens changes nothing
   * @throws MetricError when meanLoss is not finite or tokens is no integer ≥ 0; the mean is then unchanged
   */
  add(meanLoss: number, tokens: number): void {
    checkNumber('TokenLossMean.add', 'tokens', tokens, { integer: true, min: 0 });
    if (tokens === 0) return;
    checkNumber('TokenLossMean.add', 'meanLoss', meanLoss);
    const term = meanLoss * tokens;
    const sum = this.#sum + term;
    this.#compensation += Math.abs(this.#sum) >= Math.abs(term) ? this.#sum - sum + term : term - sum + this.#sum;
    this.#sum = sum;
    this.#tokens += tokens;
  }

  /**
   * Mean loss in nats per token.
   *
   * @throws MetricError when no token was added
   */
  get mean(): number {
    if (this.#tokens === 0) {
      throw new MetricError({ where: 'TokenLossMean.mean', rule: 'there must be at least one token', got: 'none' });
    }
    return (this.#sum + this.#compensation) / this.#tokens;
  }
}
