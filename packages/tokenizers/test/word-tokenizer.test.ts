import { loadTokenizer, WordTokenizer } from '@ostinato/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** The words that a text is split into. */
function split(text: string, options: Parameters<typeof WordTokenizer.train>[1] = {}): string[] {
  const tokenizer = WordTokenizer.train(text, options);
  return Array.from(tokenizer.encode(text), id => tokenizer.idToToken(id)!);
}

describe('WordTokenizer', () => {
  it('orders words by frequency, then by code point', () => {
    const tokenizer = WordTokenizer.train(['b a 😀 b', '\uffee c c']);
    expect(tokenizer.vocabulary).toEqual(['<unk>', 'b', 'c', 'a', '\uffee', '😀']);
    expect([...tokenizer.encode(' a\tzebra \n b ')]).toEqual([3, 0, 1]);
    expect(tokenizer.decode([3, 0, 1])).toBe('a <unk> b');
    expect(tokenizer.decode([3, 0, 1], { skipSpecialTokens: true })).toBe('a b');
  });

  it('limits the vocabulary', () => {
    const text = 'a a a b b c';
    expect(WordTokenizer.train(text, { minimumFrequency: 2 }).vocabulary).toEqual(['<unk>', 'a', 'b']);
    expect(WordTokenizer.train(text, { maximumSize: 2 }).vocabulary).toEqual(['<unk>', 'a']);
  });

  it('reads the Penn Treebank: <unk> is the unknown token, line breaks are <eos>', () => {
    const text = " no <unk> it was n't \n but N years\r\n\n";
    const tokenizer = WordTokenizer.train(text, { endOfLine: true });
    expect(tokenizer.unknownId).toBe(0);
    expect(tokenizer.endId).toBe(1);
    expect(Array.from(tokenizer.encode(text), id => tokenizer.idToToken(id))).toEqual([
      'no',
      '<unk>',
      'it',
      'was',
      "n't",
      '<eos>',
      'but',
      'N',
      'years',
      '<eos>',
      '<eos>',
    ]);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe("no <unk> it was n't\nbut N years\n\n");
    expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toBe(
      "no it was n't\nbut N years\n\n",
    );
    expect([...tokenizer.encode('no')]).toEqual([tokenizer.tokenToId('no')]);
    expect(() => WordTokenizer.train(text, { endOfLine: true, specialTokens: {} })).toThrow(
      'endOfLine needs specialTokens.end, got none',
    );
  });

  it('separates punctuation when asked to', () => {
    const text = 'Don’t stop: "well-known" costs $3.14, (1,000) a_b… 完成。👍 ok?! end.';
    expect(split(text)).toEqual(text.split(' '));
    expect(split(text, { separatePunctuation: true })).toEqual([
      'Don’t',
      'stop',
      ':',
      '"',
      'well-known',
      '"',
      'costs',
      '$',
      '3.14',
      ',',
      '(',
      '1,000',
      ')',
      'a_b',
      '…',
      '完成',
      '。',
      '👍',
      'ok',
      '?',
      '!',
      'end',
      '.',
    ]);
    expect(split("'tis the dogs' -- a <unk> <b>", { separatePunctuation: true })).toEqual([
      "'",
      'tis',
      'the',
      'dogs',
      "'",
      '-',
      '-',
      'a',
      '<unk>',
      '<',
      'b',
      '>',
    ]);
  });

  it('lowers case, but not of special tokens', () => {
    expect(split('Ärger <UNK> ÉTÉ', { lowercase: true, specialTokens: { unknown: '<UNK>' } })).toEqual([
      'ärger',
      '<UNK>',
      'été',
    ]);
  });

  it('normalizes when asked to', () => {
    expect(split('e\u0301', { normalization: 'NFC' })).toEqual(['é']);
  });

  it('names an unknown word when there is no unknown token', () => {
    const tokenizer = WordTokenizer.train('a b', { specialTokens: {} });
    expect(() => tokenizer.encode('a zebra')).toThrow(
      'WordTokenizer.encode: every word must be in the vocabulary, got "zebra" at index 2.',
    );
  });

  it('refuses words with white space', () => {
    expect(() => new WordTokenizer({ vocabulary: ['New York'] })).toThrow(
      'a word must have no white space, got "New York"',
    );
  });

  it('learns from a stream of lines what it learns from the whole', async () => {
    async function* lines(): AsyncGenerator<string> {
      yield 'the cat';
      yield 'the dog\n';
    }
    const options = { endOfLine: true };
    expect((await WordTokenizer.trainAsync(lines(), options)).toJSON()).toEqual(
      WordTokenizer.train('the cat\nthe dog', options).toJSON(),
    );
  });

  const word = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .map(text => text.replace(/\s/gu, ''))
    .filter(text => text !== '');

  it('restores texts of words separated by single spaces, also after saving', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), words => {
        const text = words.join(' ');
        const tokenizer = WordTokenizer.train(text, { specialTokens: {} });
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
        const loaded = loadTokenizer(tokenizer.save());
        expect(loaded.toJSON()).toEqual(tokenizer.toJSON());
        expect(loaded.encode(text)).toEqual(tokenizer.encode(text));
      }),
    );
  });

  it('splits any text, losing nothing but white space', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme-ascii' })), text => {
        fc.pre(/\S/u.test(text));
        expect(split(text, { separatePunctuation: true, specialTokens: {} }).join('')).toBe(text.replace(/\s/gu, ''));
      }),
    );
  });

  it('decodes prefixes to prefixes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 })), ids => {
        const tokenizer = new WordTokenizer({ vocabulary: ['<unk>', '<eos>', 'a', 'b'], endOfLine: true });
        for (let n = 1; n <= ids.length; n++) {
          expect(tokenizer.decode(ids.slice(0, n)).startsWith(tokenizer.decode(ids.slice(0, n - 1)))).toBe(true);
        }
      }),
    );
  });
});
