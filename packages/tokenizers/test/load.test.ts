import {
  CharacterTokenizer,
  loadTokenizer,
  TokenizerError,
  tokenizerFromJson,
  WordTokenizer,
} from '@ostinato/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const saved = JSON.parse(CharacterTokenizer.train('ab', { specialTokens: { unknown: '<unk>' } }).save());
const savedWords = JSON.parse(WordTokenizer.train('a b').save());

const without = (field: string): object => Object.fromEntries(Object.entries(saved).filter(([key]) => key !== field));

describe('loading', () => {
  it('finds the class by the type', () => {
    expect(tokenizerFromJson(saved)).toBeInstanceOf(CharacterTokenizer);
    expect(tokenizerFromJson(savedWords)).toBeInstanceOf(WordTokenizer);
    expect(saved).toEqual({
      format: 'ostinato.tokenizer',
      version: 1,
      type: 'character',
      normalization: 'none',
      specialTokens: { unknown: '<unk>' },
      vocabulary: ['<unk>', 'a', 'b'],
    });
  });

  it('takes what toJSON returns, absent roles included', () => {
    const tokenizer = CharacterTokenizer.train('a', { specialTokens: { unknown: undefined, end: '<e>' } });
    expect(CharacterTokenizer.fromJSON(tokenizer.toJSON()).toJSON()).toEqual(tokenizer.toJSON());
  });

  it.each<[string, unknown, string]>([
    ['no object', null, 'a saved tokenizer is a JSON object, got null'],
    ['a list', [], 'a saved tokenizer is a JSON object, got []'],
    ['another format', { ...saved, format: 'x' }, 'format, expected \'ostinato.tokenizer\', got "x"'],
    [
      'a Hugging Face file',
      { version: '1.0', model: {}, added_tokens: [] },
      'looks like a tokenizer.json of Hugging Face',
    ],
    ['a newer version', { ...saved, version: 2 }, 'version, expected 1, got 2'],
    ['a version as text', { ...saved, version: '1' }, 'version, expected 1, got "1"'],
    [
      'an unknown type',
      { ...saved, type: 'unigram' },
      `unknown type, expected 'bpe' | 'character' | 'word', got "unigram"`,
    ],
    ['a type from the prototype', { ...saved, type: 'toString' }, 'unknown type'],
    ['a missing field', without('vocabulary'), "the field 'vocabulary' is missing"],
    ['an unknown field', { ...saved, colour: 1 }, 'unknown field "colour"'],
    ['no list of tokens', { ...saved, vocabulary: 'ab' }, 'vocabulary must be a list, got "ab"'],
    [
      'a number among the tokens',
      { ...saved, vocabulary: ['<unk>', 'a', 3] },
      'vocabulary[2] must be a string that is not empty, got 3',
    ],
    ['an empty token', { ...saved, vocabulary: ['<unk>', ''] }, 'vocabulary[1] must be a string that is not empty'],
    [
      'a token twice',
      { ...saved, vocabulary: ['<unk>', 'a', 'a'] },
      'a token must occur once, got "a" with the ids 1 and 2',
    ],
    ['a long character', { ...saved, vocabulary: ['<unk>', 'abc'] }, 'a character must be one code point, got "abc"'],
    [
      'no special token',
      { ...saved, vocabulary: ['a', 'b'] },
      'the vocabulary must hold every special token, got none for "<unk>"',
    ],
    [
      'an unknown role',
      { ...saved, specialTokens: { mask: '<m>' } },
      'unknown special token, expected padding | unknown',
    ],
    [
      'a role without text',
      { ...saved, specialTokens: { unknown: 1 } },
      'specialTokens.unknown must be a string that is not empty, got 1',
    ],
    [
      'additional tokens that are no list',
      { ...saved, specialTokens: { additional: 'x' } },
      'specialTokens.additional must be a list',
    ],
    [
      'special tokens that are no object',
      { ...saved, specialTokens: null },
      'specialTokens must be an object, got null',
    ],
    ['an unknown normalization', { ...saved, normalization: 'NFKC' }, 'unknown normalization'],
    ['a flag that is no boolean', { ...savedWords, lowercase: 1 }, 'lowercase must be true or false, got 1'],
    ['a word with white space', { ...savedWords, vocabulary: ['<unk>', 'a b'] }, 'a word must have no white space'],
  ])('refuses %s', (_, value, message) => {
    expect(() => tokenizerFromJson(value)).toThrow(message);
    expect(() => loadTokenizer(JSON.stringify(value))).toThrow(TokenizerError);
  });

  it('refuses a file of another type', () => {
    expect(() => WordTokenizer.fromJSON(saved)).toThrow(
      'WordTokenizer.fromJSON: type, expected \'word\', got "character".',
    );
    expect(() => CharacterTokenizer.fromJSON(savedWords)).toThrow('type, expected \'character\', got "word"');
  });

  it('refuses a damaged file with a TokenizerError, never another error', () => {
    const text = JSON.stringify(saved);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), (at, inserted) => {
        try {
          loadTokenizer(text.slice(0, at) + inserted + text.slice(at + 1));
        } catch (error) {
          expect(error).toBeInstanceOf(TokenizerError);
        }
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(saved, savedWords), fc.nat(), fc.jsonValue(), (valid, field, value) => {
        const name = Object.keys(valid)[field % Object.keys(valid).length]!;
        fc.pre(typeof valid[name] !== typeof value || Array.isArray(valid[name]) !== Array.isArray(value));
        expect(() => tokenizerFromJson({ ...valid, [name]: value })).toThrow(TokenizerError);
        expect(() => tokenizerFromJson(value)).toThrow(TokenizerError);
      }),
    );
    expect(() => loadTokenizer('{')).toThrow('loadTokenizer: the text must be JSON, got "{"');
  });

  it('marks its errors as errors of Ostinato', () => {
    try {
      loadTokenizer('');
    } catch (error) {
      expect(Symbol.for('ostinato.error') in (error as object)).toBe(true);
      expect((error as TokenizerError).parts.where).toBe('loadTokenizer');
    }
    expect.assertions(2);
  });
});
