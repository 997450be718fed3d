import { checkInteger, show, TokenizerError } from './errors.ts';

/** Tokens that stand for no text, by role. Two roles may share one token, as GPT-2's `<|endoftext|>` does. */
export interface SpecialTokens {
  /** Behind the end of shorter rows of a batch. */
  readonly padding?: string | undefined;
  /** For whatever is not in the vocabulary. Without it such text is an error. */
  readonly unknown?: string | undefined;
  readonly beginning?: string | undefined;
  readonly end?: string | undefined;
  /** Others, without a role. */
  readonly additional?: readonly string[] | undefined;
}

/** The roles, in the order in which their tokens get ids. */
export const roles = ['padding', 'unknown', 'beginning', 'end'] as const;

/** Options of building a vocabulary from text. */
export interface VocabularyOptions {
  /** Rarer tokens are left out. Default 1. */
  readonly minimumFrequency?: number | undefined;
  /** Most tokens, special ones included; the most frequent stay. Default Infinity. */
  readonly maximumSize?: number | undefined;
}

/** Orders strings by their code points. JavaScript's `<` orders by UTF-16 units, which puts emoji before U+FFFD. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  if (i === length) return a.length - b.length;
  // Where a surrogate pair meets a lone first half, they differ in the code point that began one unit earlier.
  const earlier = Math.max(i - 1, 0);
  return a.codePointAt(earlier)! - b.codePointAt(earlier)! || a.codePointAt(i)! - b.codePointAt(i)!;
}

/** The special tokens as a list: roles first, each token once. */
export function listSpecialTokens(specialTokens: SpecialTokens): string[] {
  const named = roles.map(role => specialTokens[role]).filter(token => token !== undefined);
  return [...new Set([...named, ...(specialTokens.additional ?? [])])];
}

/**
 * Chooses the tokens of a vocabulary: the most frequent ones, equal frequencies in the order of code points.
 *
 * @returns by falling frequency, then code point; the special tokens are not in it
 * @throws TokenizerError when there is nothing to choose from, or no room beside the special tokens
 */
export function chooseTokens(
  where: string,
  counts: ReadonlyMap<string, number>,
  specialTokens: SpecialTokens,
  { minimumFrequency = 1, maximumSize = Infinity }: VocabularyOptions,
): string[] {
  checkInteger(where, 'minimumFrequency', minimumFrequency, { minimum: 1 });
  checkInteger(where, 'maximumSize', maximumSize, { minimum: 1, unlimited: true });
  if (counts.size === 0) {
    throw new TokenizerError({ where, rule: 'the texts must hold at least one token', got: 'none' });
  }
  const special = new Set(listSpecialTokens(specialTokens));
  if (maximumSize <= special.size) {
    throw new TokenizerError({
      where,
      rule: 'maximumSize must leave room beside the special tokens',
      expected: `more than ${special.size}`,
      got: String(maximumSize),
    });
  }
  return [...counts]
    .filter(([token, count]) => count >= minimumFrequency && !special.has(token))
    .sort(([a, countA], [b, countB]) => countB - countA || compareCodePoints(a, b))
    .slice(0, maximumSize - special.size)
    .map(([token]) => token);
}

/** Tokens and their ids: token i of the list has id i. Special tokens that are not in the list get the first ids. */
export class Vocabulary {
  readonly tokens: readonly string[];
  readonly specialTokens: SpecialTokens;
  readonly #ids: Map<string, number> = new Map();
  readonly #special: Set<number> = new Set();

  /** @throws TokenizerError when a token is empty, occurs twice or is no string, or when there is none */
  constructor(where: string, tokens: readonly string[], specialTokens: SpecialTokens) {
    const special = listSpecialTokens(specialTokens);
    const listed = new Set(tokens);
    this.tokens = [...special.filter(token => !listed.has(token)), ...tokens];
    this.specialTokens = Object.fromEntries(Object.entries(specialTokens).filter(([, token]) => token !== undefined));
    if (this.tokens.length === 0) throw new TokenizerError({ where, rule: 'the vocabulary must not be empty' });
    for (const [id, token] of this.tokens.entries()) {
      if (typeof token !== 'string' || token === '') {
        throw new TokenizerError({ where, rule: 'a token must be a string that is not empty', got: show(token) });
      }
      const earlier = this.#ids.get(token);
      if (earlier !== undefined) {
        const got = `${show(token)} with the ids ${earlier} and ${id}`;
        throw new TokenizerError({ where, rule: 'a token must occur once', got });
      }
      this.#ids.set(token, id);
    }
    for (const token of special) this.#special.add(this.#ids.get(token)!);
  }

  get size(): number {
    return this.tokens.length;
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  isSpecial(id: number): boolean {
    return this.#special.has(id);
  }
}
