import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BpeTokenizer, type BpeTrainingOptions, loadTokenizer, TokenizerError } from '../src/index.ts';

const corpus = ['low low low low low lower lower', 'newest newest newest newest newest newest widest widest widest'];
const plain = { preTokenizer: 'whitespace', addPrefixSpace: false } as const;

/** A word as its tokens. */
const tokensOf = (tokenizer: BpeTokenizer, text: string): string[] =>
  Array.from(tokenizer.encode(text), id => tokenizer.idToToken(id)!);

describe('BpeTokenizer', () => {
  it('learns the most frequent pair first, of equal ones the older (by hand, corpus of Sennrich et al.)', () => {
    const { merges } = BpeTokenizer.train(corpus, { maximumSize: 256 + 4, ...plain, addPrefixSpace: true });
    // e+s and s+t occur 9 times each, and e is the older; then es+t, 9 times too.
    expect(merges.slice(0, 2)).toEqual([
      ['e', 's'],
      ['es', 't'],
    ]);
    expect(merges).toHaveLength(4);
  });

  it('applies merges in the order in which they were learned', () => {
    const tokenizer = new BpeTokenizer({
      merges: [
        ['b', 'c'],
        ['a', 'b'],
        ['a', 'bc'],
        ['a', 'a'],
      ],
      ...plain,
    });
    expect(tokensOf(tokenizer, 'abc')).toEqual(['abc']);
    expect(tokensOf(tokenizer, 'abab')).toEqual(['ab', 'ab']);
    expect(tokensOf(tokenizer, 'aaaaa')).toEqual(['aa', 'aa', 'a']);
  });

  it('gives back every text, seen or not', () => {
    const options: BpeTrainingOptions[] = [
      { maximumSize: 300 },
      { maximumSize: 300, ...plain },
      { maximumSize: 280, preTokenizer: 'whitespace' },
    ];
    const texts = fc.string({ unit: 'binary', maxLength: 30 });
    for (const each of options) {
      const tokenizer = BpeTokenizer.train([...corpus, 'Grüße aus 東京, naïve 🙂  x'], each);
      fc.assert(fc.property(texts, text => tokenizer.decode(tokenizer.encode(text)) === text));
      for (const text of ['', ' ', '  two ', "don't  do\n\n that", '\ufeffx', '👩‍👩‍👧', '</s>']) {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }
    }
  });

  it('only ever appends when more ids are decoded', () => {
    const tokenizer = BpeTokenizer.train('x', { maximumSize: 257, specialTokens: { end: '</s>' } });
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 256 }), { maxLength: 12 }), ids => {
        for (let n = 1; n <= ids.length; n++) {
          expect(tokenizer.decode(ids.slice(0, n)).startsWith(tokenizer.decode(ids.slice(0, n - 1)))).toBe(true);
        }
      }),
    );
  });

  it('does not depend on the order of the texts; learns two languages together', () => {
    const [german, english] = [
      ['ein Hund rennt', 'zwei Hunde rennen'],
      ['a dog runs', 'two dogs run'],
    ];
    const train = (texts: string[]): string => BpeTokenizer.train(texts, { maximumSize: 275, lowercase: true }).save();
    expect(train([...german!, ...english!])).toBe(train([...english!, ...german!].toReversed()));
    const joint = loadTokenizer(train([...german!, ...english!]));
    expect(joint.encode('Hund')).toEqual(joint.encode('hund'));
    expect(joint.encode('hunde').length + joint.encode('dogs').length).toBeLessThan(9);
  });

  it('saves and loads, special tokens first and never found in text', () => {
    const specialTokens = { padding: '<pad>', beginning: '<s>', end: '</s>' };
    const tokenizer = BpeTokenizer.train('</s></s></s> ab ab', { maximumSize: 300, specialTokens });
    const restored = loadTokenizer(tokenizer.save());
    expect(restored.save()).toBe(tokenizer.save());
    expect([restored.paddingId, restored.beginningId, restored.endId]).toEqual([0, 1, 2]);
    const ids = restored.encode('</s> ab', { addBeginning: true, addEnd: true });
    expect([ids[0], ids.at(-1)]).toEqual([1, 2]);
    expect(ids.subarray(1, -1)).not.toContain(2);
    expect(restored.decode(ids, { skipSpecialTokens: true })).toBe('</s> ab');
    expect(restored.encodeBatch(['ab', 'ab ab']).shape).toEqual([2, 2]);
  });

  it('drops merges at random: p = 1 leaves bytes, p = 0 nothing, all of it decodes', () => {
    const tokenizer = BpeTokenizer.train(corpus, { maximumSize: 300 });
    let seed = 1;
    const random = (): number => {
      seed = (seed * 16807) % 2147483647;
      return seed / 2147483647;
    };
    const encode = (probability: number): Int32Array =>
      tokenizer.encode('newest lower', { dropout: { probability, random } });
    expect(encode(1)).toHaveLength(13);
    expect(encode(0)).toEqual(tokenizer.encode('newest lower'));
    const lengths = new Set(Array.from({ length: 50 }, () => encode(0.3).length));
    expect(lengths.size).toBeGreaterThan(2);
    expect(tokenizer.decode(encode(0.5))).toBe('newest lower');
  });

  it('refuses what is damaged', () => {
    const saved = JSON.parse(BpeTokenizer.train(corpus, { maximumSize: 260 }).save());
    const load =
      (change: object): (() => unknown) =>
      () =>
        loadTokenizer(JSON.stringify({ ...saved, ...change }));
    expect(load({ merges: ['e s', 'x'] })).toThrow('merges[1] must be two tokens with a space between, got "x".');
    expect(load({ merges: ['q z'] })).toThrow('the vocabulary must hold every byte and merge, got no "qz".');
    expect(load({ vocabulary: saved.vocabulary.slice(1) })).toThrow(TokenizerError);
    expect(load({ preTokenizer: 'none' })).toThrow("unknown preTokenizer, expected 'words' | 'whitespace'");
    expect(() => BpeTokenizer.train('a', { maximumSize: 255 })).toThrow(
      'maximumSize must be an integer ≥ 256, got 255.',
    );
    expect(() => BpeTokenizer.train('', { maximumSize: 300 })).toThrow('the texts must hold text');
    const dropout = { probability: 2, random: Math.random };
    expect(() => BpeTokenizer.train('a', { maximumSize: 256 }).encode('a', { dropout })).toThrow('in 0 … 1, got 2');
  });
});
