import { CharacterTokenizer, loadTokenizer } from '@ostinato/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  // Any UTF-16 units, lone surrogates among them.
  fc.array(fc.integer({ min: 0, max: 0xffff })).map(units => String.fromCharCode(...units)),
  fc
    .array(fc.constantFrom('👩‍👩‍👧', '🇫🇷', 'e\u0301', '\ud83d', '\ude00', '\u0000', '\ufeff', 'ß'))
    .map(parts => parts.join('')),
);

describe('CharacterTokenizer', () => {
  it('sorts characters by code point, not by UTF-16 unit', () => {
    const tokenizer = CharacterTokenizer.train('b😀a\uffee\n');
    expect(tokenizer.vocabulary).toEqual(['\n', 'a', 'b', '\uffee', '😀']);
    expect([...tokenizer.encode('ab😀')]).toEqual([1, 2, 4]);
    expect(tokenizer.decode([4, 0, 3])).toBe('😀\n\uffee');
    expect(tokenizer.vocabularySize).toBe(5);
    expect(tokenizer.tokenToId('😀')).toBe(4);
    expect(tokenizer.tokenToId('z')).toBeUndefined();
    expect(tokenizer.idToToken(1)).toBe('a');
    expect(tokenizer.idToToken(5)).toBeUndefined();
  });

  it('gives special tokens the first ids, by role', () => {
    const tokenizer = CharacterTokenizer.train('ba', {
      specialTokens: { end: '<e>', padding: '<p>', beginning: '<b>', unknown: '<u>', additional: ['<x>'] },
    });
    expect(tokenizer.vocabulary).toEqual(['<p>', '<u>', '<b>', '<e>', '<x>', 'a', 'b']);
    const { paddingId, unknownId, beginningId, endId } = tokenizer;
    expect([paddingId, unknownId, beginningId, endId]).toEqual([0, 1, 2, 3]);
    const ids = tokenizer.encode('a?b', { addBeginning: true, addEnd: true });
    expect([...ids]).toEqual([2, 5, 1, 6, 3]);
    expect(tokenizer.decode(ids)).toBe('<b>a<u>b<e>');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('ab');
    expect([...tokenizer.encode('<e>')]).toEqual([1, 1, 1]);
  });

  it('lets two roles share a token', () => {
    const tokenizer = CharacterTokenizer.train('a', { specialTokens: { padding: '|', end: '|' } });
    expect(tokenizer.vocabulary).toEqual(['|', 'a']);
    expect(tokenizer.endId).toBe(0);
    expect([...tokenizer.encode('a|', { addEnd: true })]).toEqual([1, 0, 0]);
  });

  it('keeps frequent characters only', () => {
    const text = 'aaabbccd';
    expect(CharacterTokenizer.train(text, { minimumFrequency: 2 }).vocabulary).toEqual(['a', 'b', 'c']);
    expect(CharacterTokenizer.train(text, { maximumSize: 2 }).vocabulary).toEqual(['a', 'b']);
    expect(
      CharacterTokenizer.train(['da', 'd'], { maximumSize: 2, specialTokens: { unknown: '?' } }).vocabulary,
    ).toEqual(['?', 'd']);
    expect(() => CharacterTokenizer.train(text, { maximumSize: 1, specialTokens: { unknown: '?' } })).toThrow(
      'CharacterTokenizer.train: maximumSize must leave room beside the special tokens, expected more than 1, got 1.',
    );
    expect(() => CharacterTokenizer.train(text, { minimumFrequency: 0 })).toThrow(
      'minimumFrequency must be an integer ≥ 1, got 0',
    );
    expect(() => CharacterTokenizer.train('')).toThrow('the texts must hold at least one token, got none');
  });

  it('names an unknown character, its code point and its place', () => {
    const tokenizer = CharacterTokenizer.train('ab😀');
    expect(() => tokenizer.encode('a😀é')).toThrow(
      'CharacterTokenizer.encode: every character must be in the vocabulary, got "é" (U+00E9) at index 3.',
    );
    expect(() => tokenizer.encode('\ud83d')).toThrow('got "\\ud83d" (U+D83D) at index 0');
    expect(() => tokenizer.encode('a', { addEnd: true })).toThrow('the tokenizer has no end token to add');
  });

  it('refuses ids outside the vocabulary', () => {
    const tokenizer = CharacterTokenizer.train('ab');
    for (const id of [2, -1, 0.5, Number.NaN]) {
      expect(() => tokenizer.decode([0, id])).toThrow(
        `the id at position 1 must be in the vocabulary, expected an integer in 0 … 1, got ${id}.`,
      );
    }
  });

  it('normalizes when asked to', () => {
    const composed = CharacterTokenizer.train('e\u0301', { normalization: 'NFC' });
    expect(composed.vocabulary).toEqual(['é']);
    expect(composed.decode(composed.encode('e\u0301é'))).toBe('éé');
    expect(CharacterTokenizer.train('e\u0301').vocabulary).toEqual(['e', '\u0301']);
    // U+0958 has no composed form: its normalization is longer than it is.
    const longer = CharacterTokenizer.train('\u0958', { normalization: 'NFC' });
    expect(longer.encode('\u0958\u0958\u0958\u0958\u0958')).toHaveLength(10);
  });

  it('learns from a stream what it learns from the whole', async () => {
    async function* stream(texts: readonly string[]): AsyncGenerator<string> {
      yield* texts;
    }
    const texts = ['hello ', 'wörld', '', '😀'];
    const options = { specialTokens: { unknown: '<unk>' }, maximumSize: 8 };
    const streamed = await CharacterTokenizer.trainAsync(stream(texts), options);
    expect(streamed.toJSON()).toEqual(CharacterTokenizer.train(texts, options).toJSON());
    expect(streamed.toJSON()).toEqual(CharacterTokenizer.train(texts.join(''), options).toJSON());
  });

  it('takes a given vocabulary', () => {
    const tokenizer = new CharacterTokenizer({ vocabulary: ['z', 'a'], specialTokens: { unknown: '<unk>' } });
    expect(tokenizer.vocabulary).toEqual(['<unk>', 'z', 'a']);
    expect(() => new CharacterTokenizer({ vocabulary: ['a', 'bc'] })).toThrow(
      'a character must be one code point, got "bc"',
    );
    expect(() => new CharacterTokenizer({ vocabulary: ['a', 'b', 'a'] })).toThrow(
      'a token must occur once, got "a" with the ids 0 and 2',
    );
    expect(() => new CharacterTokenizer({ vocabulary: [] })).toThrow('the vocabulary must not be empty');
    expect(() => new CharacterTokenizer({ vocabulary: [''] })).toThrow(
      'a token must be a string that is not empty, got ""',
    );
    expect(() => new CharacterTokenizer({ vocabulary: ['a'], normalization: 'NFX' as 'NFC' })).toThrow(
      "unknown normalization, expected 'none' | 'NFC'",
    );
  });

  it('is lossless, whatever the text, and after saving', () => {
    fc.assert(
      fc.property(anyText, text => {
        fc.pre(text !== '');
        const tokenizer = CharacterTokenizer.train(text);
        const ids = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        expect(ids.length).toBe([...text].length);
        const loaded = loadTokenizer(tokenizer.save());
        expect(loaded.toJSON()).toEqual(tokenizer.toJSON());
        expect(loaded.encode(text)).toEqual(ids);
      }),
    );
  });

  it('gives the same vocabulary in whatever order texts come', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1 }), texts => {
        fc.pre(texts.some(text => text !== ''));
        const options = { maximumSize: 5 };
        expect(CharacterTokenizer.train(texts.toReversed(), options).vocabulary).toEqual(
          CharacterTokenizer.train(texts, options).vocabulary,
        );
      }),
    );
  });
});
