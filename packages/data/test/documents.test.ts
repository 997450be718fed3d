import { splitDocuments, splitRecords, splitTokens, streamRecords } from '@ostinato/data';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('splitTokens', () => {
  it('cuts contiguous views', () => {
    const tokens = Int32Array.from({ length: 10 }, (_, i) => i);
    const { train, validation, test } = splitTokens(tokens, { validation: 0.2, test: 0.1 });
    expect([[...train], [...validation], [...test]]).toEqual([[0, 1, 2, 3, 4, 5, 6], [7, 8], [9]]);
    expect(train.buffer).toBe(tokens.buffer);
    expect(splitTokens(tokens).test).toHaveLength(0);
  });

  it('splits tiny Shakespeare as char-rnn does', () => {
    expect(splitTokens(new Uint8Array(1_115_394)).train).toHaveLength(1_003_854);
  });

  it('refuses empty parts and impossible fractions', () => {
    const tokens = new Uint16Array(5);
    expect(() => splitTokens(tokens)).not.toThrow();
    expect(() => splitTokens(new Uint16Array(1))).toThrow(
      'every part must have at least one of the 1 tokens, got none for train',
    );
    expect(() => splitTokens(tokens, { validation: 0.5, test: 0.5 })).toThrow(
      'got none for train with validation 0.5 and test 0.5',
    );
    expect(() => splitTokens(tokens, { validation: 1 })).toThrow('validation must be a finite number ≥ 0 < 1, got 1');
  });
});

describe('splitDocuments', () => {
  it('shares documents out in order, or by seed', () => {
    const documents = Array.from({ length: 20 }, (_, i) => `tune ${i}`);
    const inOrder = splitDocuments(documents, { validation: 0.1, test: 0.1 });
    expect(inOrder.validation).toEqual(['tune 16', 'tune 17']);
    expect(inOrder.test).toEqual(['tune 18', 'tune 19']);
    const drawn = splitDocuments(documents, { validation: 0.3, seed: 4 });
    expect(drawn.validation).not.toEqual(documents.slice(14));
    expect(drawn).toEqual(splitDocuments(documents, { validation: 0.3, seed: 4 }));
    expect(drawn).not.toEqual(splitDocuments(documents, { validation: 0.3, seed: 5 }));
  });

  it('gives every document to one part, in order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 50 }), fc.nat(), fc.constantFrom(0, 0.25, 0.3), (length, seed, test) => {
        const documents = Array.from({ length }, (_, i) => i);
        const { train, validation, test: last } = splitDocuments(documents, { validation: 0.25, test, seed });
        const parts = [train, validation, last];
        for (const part of parts) expect(part).toEqual(part.toSorted((a, b) => a - b));
        expect(parts.flat().toSorted((a, b) => a - b)).toEqual(documents);
      }),
    );
  });
});

describe('splitRecords', () => {
  it('splits lines, whatever the line break', () => {
    expect(splitRecords('a b\r\n\n  c\n \nd')).toEqual(['a b', '  c', 'd']);
  });

  it('splits at blank lines', () => {
    const tunes = 'X:1\nDEF|\n\n\nX:2\r\nGAB|\r\n\r\n\r\n\r\n';
    expect(splitRecords(tunes, { separator: '\n\n' })).toEqual(['X:1\nDEF|', 'X:2\nGAB|']);
    expect(splitRecords(tunes, { separator: '\r\n\r\n' })).toEqual(['X:1\nDEF|', 'X:2\nGAB|']);
  });

  it('splits at any text', () => {
    expect(splitRecords('one<|end|>\ntwo<|end|>', { separator: '<|end|>' })).toEqual(['one', '\ntwo']);
    expect(() => splitRecords('a', { separator: '' })).toThrow('separator must be a text that is not empty, got ""');
  });

  it('does the same with chunks', async () => {
    const piece = fc.constantFrom('a', 'b\n', '\n', '\r', '\r\n', '<', '<>', '>', ' ');
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece),
        fc.array(fc.nat(30)),
        fc.constantFrom('\n', '\n\n', '<>', '\r\n'),
        async (pieces, cuts, separator) => {
          const text = pieces.join('');
          const edges = [0, ...cuts.filter(cut => cut < text.length).toSorted((a, b) => a - b), text.length];
          const chunks = edges.slice(1).map((edge, i) => text.slice(edges[i], edge));
          const records: string[] = [];
          for await (const record of streamRecords(chunks, { separator })) records.push(record);
          expect(records).toEqual(splitRecords(text, { separator }));
        },
      ),
    );
  });
});
