import { ArgumentError, checkNumber } from '@ostinato/core';
import { perplexity } from '../metrics.ts';
import type { Evaluation } from './evaluate.ts';

/** Options of `KneserNey`. */
export interface KneserNeyOptions {
  /** Token ids of the training text. */
  readonly tokens: Int32Array;
  /** V; every id lies in 0 … V−1. */
  readonly vocabularySize: number;
  /** n: a token is predicted from the n − 1 before it. Default 5. */
  readonly order?: number | undefined;
}

/** What was seen behind one context. */
interface Followers {
  readonly counts: Map<number, number>;
  total: number;
}

/** Followers by context, the ids of the context joined. */
type Table = Map<string, Followers>;

/**
 * Interpolated Kneser–Ney n-grams: the counting model that neural language models are measured against.
 *
 *     p(w | h) = (max(c(h w) − D, 0) + D · |{v : c(h v) > 0}| · p(w | h')) / Σ_v c(h v)
 *
 * with h' the context without its first token, and p(w) = 1/V at the end. For the longest n-grams c counts occurrences, for shorter ones
 * the different tokens that were seen in front: "Francisco" is frequent, but only behind "San". D = n₁ / (n₁ + 2 n₂) of each length, n₁
 * and n₂ the n-grams with c = 1 and 2. A context that was never seen says nothing: p(w | h) = p(w | h').
 *
 * Kneser and Ney 1995, "Improved backing-off for m-gram language modeling", ICASSP; interpolated: Chen and Goodman 1999, "An empirical
 * study of smoothing techniques for language modeling", Computer Speech and Language 13, section 3.
 */
export class KneserNey {
  readonly order: number;
  readonly vocabularySize: number;
  /** Of contexts of 0, 1 … order − 1 tokens. */
  readonly #tables: readonly Table[];
  readonly #discounts: readonly number[];

  /** @throws ArgumentError when there are fewer tokens than `order`, or an id lies outside the vocabulary */
  constructor({ tokens, vocabularySize, order = 5 }: KneserNeyOptions) {
    const where = 'KneserNey';
    checkNumber(where, 'order', order, { integer: true, min: 1 });
    checkNumber(where, 'vocabularySize', vocabularySize, { integer: true, min: 1 });
    checkNumber(where, 'the number of tokens', tokens.length, { min: order });
    checkIds(where, tokens, vocabularySize);
    this.order = order;
    this.vocabularySize = vocabularySize;
    const tables = Array.from({ length: order }, (): Table => new Map());
    for (let end = order - 1; end < tokens.length; end++) count(tables[order - 1]!, tokens, end, order - 1);
    // Each different n-gram counts once for the n-gram without its first token.
    for (let length = order - 1; length > 0; length--) {
      for (const [context, { counts }] of tables[length]!) {
        const shorter = context.slice(context.indexOf(' ') + 1);
        for (const token of counts.keys()) add(tables[length - 1]!, length === 1 ? '' : shorter, token);
      }
    }
    this.#tables = tables;
    this.#discounts = tables.map(discountOf);
  }

  /** p(token | context), of whose ids only the last order − 1 are looked at. */
  probability(token: number, context: ArrayLike<number>): number {
    const known = Array.from(context).slice(Math.max(0, context.length - this.order + 1));
    let probability = 1 / this.vocabularySize;
    for (let length = 0; length <= Math.min(known.length, this.order - 1); length++) {
      const followers = this.#tables[length]!.get(known.slice(known.length - length).join(' '));
      if (followers === undefined) break; // no longer context was seen either
      const discount = this.#discounts[length]!;
      const { counts, total } = followers;
      const own = Math.max(0, (counts.get(token) ?? 0) - discount);
      probability = (own + discount * counts.size * probability) / total;
    }
    return probability;
  }

  /**
   * How well a text is predicted, each token from those before it.
   *
   * @param ids at least 2
   * @throws ArgumentError when there are fewer, or an id lies outside the vocabulary
   */
  evaluate(ids: Int32Array): Evaluation {
    const where = 'KneserNey.evaluate';
    checkNumber(where, 'the number of tokens', ids.length, { min: 2 });
    checkIds(where, ids, this.vocabularySize);
    let sum = 0;
    for (let i = 1; i < ids.length; i++) {
      sum -= Math.log(this.probability(ids[i]!, ids.subarray(Math.max(0, i - this.order + 1), i)));
    }
    const tokens = ids.length - 1;
    return { nats: sum / tokens, perplexity: perplexity(sum / tokens), tokens };
  }
}

function count(table: Table, tokens: Int32Array, end: number, length: number): void {
  add(table, tokens.subarray(end - length, end).join(' '), tokens[end]!);
}

function add(table: Table, context: string, token: number): void {
  let followers = table.get(context);
  if (followers === undefined) {
    followers = { counts: new Map(), total: 0 };
    table.set(context, followers);
  }
  followers.counts.set(token, (followers.counts.get(token) ?? 0) + 1);
  followers.total++;
}

/** n₁ / (n₁ + 2 n₂); ½ when nothing was seen once, for something must be left for what was never seen. */
function discountOf(table: Table): number {
  let [once, twice] = [0, 0];
  for (const { counts } of table.values()) {
    for (const times of counts.values()) {
      if (times === 1) once++;
      else if (times === 2) twice++;
    }
  }
  return once === 0 ? 0.5 : once / (once + 2 * twice);
}

function checkIds(where: string, ids: Int32Array, vocabularySize: number): void {
  const outside = ids.findIndex(id => id < 0 || id >= vocabularySize);
  if (outside < 0) return;
  throw new ArgumentError({
    where,
    rule: 'every id must lie in the vocabulary',
    expected: `0 … ${vocabularySize - 1}`,
    got: `${ids[outside]} at ${outside}`,
  });
}
