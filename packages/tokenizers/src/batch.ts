import { checkChoice, checkInteger, show, TokenizerError } from './errors.ts';
import type { BatchOptions, EncodedBatch, EncodeOptions } from './tokenizer.ts';

/** What `encodeRows` needs of a tokenizer. */
interface RowEncoder {
  readonly paddingId: number | undefined;
  encode(text: string, options?: EncodeOptions): Int32Array;
}

/** Encodes every text, cuts rows that are too long (never their special tokens) and pads the others on the right. */
export function encodeRows(
  where: string,
  tokenizer: RowEncoder,
  texts: readonly string[],
  {
    addBeginning = false,
    addEnd = false,
    maximumLength = Infinity,
    truncation = 'end',
    padToMaximum = false,
    paddingId = tokenizer.paddingId,
  }: BatchOptions,
): EncodedBatch {
  const added = Number(addBeginning) + Number(addEnd);
  if (texts.length === 0) throw new TokenizerError({ where, rule: 'a batch needs at least one text', got: 'none' });
  checkInteger(where, 'maximumLength', maximumLength, { minimum: Math.max(1, added), unlimited: !padToMaximum });
  checkChoice(where, 'truncation', truncation, ['end', 'start', 'error']);
  if (paddingId !== undefined) checkInteger(where, 'paddingId', paddingId, { minimum: 0 });

  const rows = texts.map((text, row) => {
    const ids = tokenizer.encode(text, { addBeginning, addEnd });
    if (ids.length <= maximumLength) return ids;
    if (truncation === 'error') {
      throw new TokenizerError({
        where,
        rule: `text ${row} must have at most maximumLength tokens`,
        expected: `≤ ${maximumLength}`,
        got: String(ids.length),
      });
    }
    const excess = ids.length - maximumLength;
    const from = addBeginning ? 1 : 0;
    const kept = new Int32Array(maximumLength);
    const cut = truncation === 'start' ? from : ids.length - Number(addEnd) - excess;
    kept.set(ids.subarray(0, cut));
    kept.set(ids.subarray(cut + excess), cut);
    return kept;
  });

  const time = padToMaximum ? maximumLength : Math.max(...rows.map(row => row.length));
  const short = rows.findIndex(row => row.length < time);
  if (short >= 0 && paddingId === undefined) {
    throw new TokenizerError({
      where,
      rule: 'rows of different length need padding, and the tokenizer has no padding token',
      got: `${rows[short]!.length} and ${time} tokens (text ${short}: ${show(texts[short])})`,
      advice:
        'Give the tokenizer specialTokens.padding, or pass { paddingId: 0 } to a model that is given the lengths.',
    });
  }
  const ids = new Int32Array(rows.length * time).fill(paddingId ?? 0); // [B, T]
  for (const [row, values] of rows.entries()) ids.set(values, row * time);
  return { ids, lengths: Int32Array.from(rows, row => row.length), shape: [rows.length, time] };
}
