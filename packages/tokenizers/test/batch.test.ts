import { CharacterTokenizer } from '@ostinato/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const tokenizer = new CharacterTokenizer({
  vocabulary: ['a', 'b', 'c'],
  specialTokens: { padding: '<pad>', beginning: '<bos>', end: '<eos>' },
});
const bare = new CharacterTokenizer({ vocabulary: ['a', 'b', 'c'] });

describe('encodeBatch', () => {
  it('pads on the right', () => {
    expect(tokenizer.encodeBatch(['ab', '', 'cab'])).toEqual({
      ids: Int32Array.of(3, 4, 0, 0, 0, 0, 5, 3, 4),
      lengths: Int32Array.of(2, 0, 3),
      shape: [3, 3],
    });
  });

  it('cuts texts, never the added tokens', () => {
    const added = { addBeginning: true, addEnd: true, maximumLength: 4 } as const;
    expect([...tokenizer.encodeBatch(['abc'], added).ids]).toEqual([1, 3, 4, 2]);
    expect([...tokenizer.encodeBatch(['abc'], { ...added, truncation: 'start' }).ids]).toEqual([1, 4, 5, 2]);
    expect([...tokenizer.encodeBatch(['abc'], { ...added, maximumLength: 2 }).ids]).toEqual([1, 2]);
    expect([...tokenizer.encodeBatch(['abc'], { maximumLength: 2 }).ids]).toEqual([3, 4]);
    expect(() => tokenizer.encodeBatch(['a', 'abc'], { ...added, truncation: 'error' })).toThrow(
      'CharacterTokenizer.encodeBatch: text 1 must have at most maximumLength tokens, expected ≤ 4, got 5.',
    );
    expect(() => tokenizer.encodeBatch(['abc'], { ...added, maximumLength: 1 })).toThrow(
      'maximumLength must be an integer ≥ 2, got 1',
    );
  });

  it('pads to the maximum when asked to', () => {
    expect(tokenizer.encodeBatch(['a'], { maximumLength: 3, padToMaximum: true })).toMatchObject({
      shape: [1, 3],
      ids: Int32Array.of(3, 0, 0),
    });
    expect(() => tokenizer.encodeBatch(['a'], { padToMaximum: true })).toThrow(
      'maximumLength must be an integer ≥ 1, got Infinity',
    );
  });

  it('asks for a padding id only where rows differ', () => {
    expect(bare.encodeBatch(['ab', 'ba']).shape).toEqual([2, 2]);
    expect(() => bare.encodeBatch(['ab', 'b'])).toThrow(
      'rows of different length need padding, and the tokenizer has no padding token, got 1 and 2 tokens (text 1: "b").',
    );
    expect([...bare.encodeBatch(['ab', 'b'], { paddingId: 0 }).ids]).toEqual([0, 1, 1, 0]);
    expect(() => bare.encodeBatch([])).toThrow('a batch needs at least one text');
    expect(() => bare.encodeBatch(['a'], { truncation: 'left' as 'end' })).toThrow(
      "unknown truncation, expected 'end' | 'start' | 'error', got \"left\"",
    );
  });

  it('has every text in its row', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c') }), { minLength: 1 }),
        fc.boolean(),
        (texts, addEnd) => {
          const { ids, lengths, shape } = tokenizer.encodeBatch(texts, { addEnd });
          expect(ids.length).toBe(shape[0] * shape[1]);
          texts.forEach((text, row) => {
            const values = ids.slice(row * shape[1], (row + 1) * shape[1]);
            expect(values.slice(0, lengths[row])).toEqual(tokenizer.encode(text, { addEnd }));
            expect(values.slice(lengths[row]).every(id => id === tokenizer.paddingId)).toBe(true);
          });
        },
      ),
    );
  });
});
