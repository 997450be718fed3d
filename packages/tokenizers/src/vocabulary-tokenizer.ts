import { encodeRows } from './batch.ts';
import { checkChoice, show, TokenizerError } from './errors.ts';
import type {
  BatchOptions,
  DecodeOptions,
  EncodedBatch,
  EncodeOptions,
  Normalization,
  Tokenizer,
  TokenizerJson,
} from './tokenizer.ts';
import type { SpecialTokens, Vocabulary } from './vocabulary.ts';

/** Told every token of a text in turn, and where it starts: the index of a UTF-16 unit, as strings are indexed. */
export type Visitor = (token: string, index: number) => void;

/** Texts to learn from: one, or any number of them. Every string is a whole text: no word goes on in the next. */
export type Texts = string | Iterable<string>;

/** Applies a normalization to a text. */
export function normalize(text: string, normalization: Normalization): string {
  return normalization === 'none' ? text : text.normalize(normalization);
}

/** Counts the tokens of texts that are all there. */
export function countTokens(texts: Texts, visit: (text: string, visitor: Visitor) => void): Map<string, number> {
  const counts = new Map<string, number>();
  const add: Visitor = token => counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const text of typeof texts === 'string' ? [texts] : texts) visit(text, add);
  return counts;
}

/** Counts the tokens of texts that arrive one after another; only the counts stay in memory. */
export async function countTokensAsync(
  texts: AsyncIterable<string>,
  visit: (text: string, visitor: Visitor) => void,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const add: Visitor = token => counts.set(token, (counts.get(token) ?? 0) + 1);
  for await (const text of texts) visit(text, add);
  return counts;
}

/** What tokenizers have in common that look every piece of a text up in a list. */
export abstract class VocabularyTokenizer implements Tokenizer {
  abstract readonly type: string;
  readonly normalization: Normalization;
  readonly #vocabulary: Vocabulary;
  readonly #name: string;

  protected constructor(name: string, vocabulary: Vocabulary, normalization: Normalization) {
    checkChoice(name, 'normalization', normalization, ['none', 'NFC']);
    this.#name = name;
    this.#vocabulary = vocabulary;
    this.normalization = normalization;
  }

  protected abstract visit(text: string, visitor: Visitor, options?: EncodeOptions): void;
  protected abstract join(tokens: readonly string[]): string;
  /** Whether `skipSpecialTokens` leaves this special token out. */
  protected abstract isSkipped(token: string): boolean;
  protected abstract missing(token: string, index: number): TokenizerError;
  abstract toJSON(): TokenizerJson;

  get vocabularySize(): number {
    return this.#vocabulary.size;
  }

  /** Every token, in the order of the ids. */
  get vocabulary(): readonly string[] {
    return this.#vocabulary.tokens;
  }

  get specialTokens(): SpecialTokens {
    return this.#vocabulary.specialTokens;
  }

  get paddingId(): number | undefined {
    return this.#roleId('padding');
  }

  get unknownId(): number | undefined {
    return this.#roleId('unknown');
  }

  get beginningId(): number | undefined {
    return this.#roleId('beginning');
  }

  get endId(): number | undefined {
    return this.#roleId('end');
  }

  #roleId(role: 'padding' | 'unknown' | 'beginning' | 'end'): number | undefined {
    const token = this.specialTokens[role];
    return token === undefined ? undefined : this.#vocabulary.idOf(token);
  }

  #added(role: 'beginning' | 'end'): number {
    const id = this.#roleId(role);
    if (id !== undefined) return id;
    throw new TokenizerError({
      where: `${this.#name}.encode`,
      rule: `the tokenizer has no ${role} token to add`,
      advice: `Give it specialTokens.${role}.`,
    });
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const { addBeginning = false, addEnd = false } = options;
    // A token has at least one UTF-16 unit, so this is enough, unless normalization C lengthens the text (it can).
    let ids = new Int32Array(text.length + 2);
    let count = 0;
    const push = (id: number): void => {
      if (count === ids.length) {
        const longer = new Int32Array(2 * count);
        longer.set(ids);
        ids = longer;
      }
      ids[count++] = id;
    };
    const unknown = this.unknownId;
    if (addBeginning) push(this.#added('beginning'));
    const visitor: Visitor = (token, index) => {
      const id = this.#vocabulary.idOf(token) ?? unknown;
      if (id === undefined) throw this.missing(token, index);
      push(id);
    };
    this.visit(text, visitor, options);
    if (addEnd) push(this.#added('end'));
    return ids.slice(0, count);
  }

  encodeBatch(texts: readonly string[], options: BatchOptions = {}): EncodedBatch {
    return encodeRows(`${this.#name}.encodeBatch`, this, texts, options);
  }

  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.#vocabulary.tokens[ids[i]!];
      if (token === undefined) {
        throw new TokenizerError({
          where: `${this.#name}.decode`,
          rule: `the id at position ${i} must be in the vocabulary`,
          expected: `an integer in 0 … ${this.vocabularySize - 1}`,
          got: show(ids[i]),
        });
      }
      if (skipSpecialTokens && this.#vocabulary.isSpecial(ids[i]!) && this.isSkipped(token)) continue;
      tokens.push(token);
    }
    return this.join(tokens);
  }

  tokenToId(token: string): number | undefined {
    return this.#vocabulary.idOf(token);
  }

  idToToken(id: number): string | undefined {
    return this.#vocabulary.tokens[id];
  }

  save(): string {
    return `${JSON.stringify(this, undefined, 1)}\n`;
  }
}
