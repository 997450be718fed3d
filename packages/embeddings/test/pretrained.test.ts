import { ArgumentError, FormatError, normal, Rng, ShapeError } from '@ostinato/core';
import { Embedding, readVectors } from '@ostinato/embeddings';
import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

const glove = ['the 0.5 -1 2e-1', 'cat 1 2 3', '. . . 7 8 9', 'dog 4 5 6', 'cat 9 9 9'].join('\n');
const vocabulary = ['<unk>', 'cat', 'Dog', 'the', 'unheard'];
const row = (table: Float32Array, id: number): number[] => [...table.subarray(3 * id, 3 * id + 3)];

describe('readVectors', () => {
  it('keeps the vectors of a vocabulary, the first where a word comes twice', async () => {
    const vectors = await readVectors([glove], { vocabulary });
    expect(vectors).toMatchObject({ size: 3, found: 2, missing: ['<unk>', 'Dog', 'unheard'] });
    expect(row(vectors.table, 1)).toEqual([1, 2, 3]);
    expect(row(vectors.table, 3)).toEqual([...Float32Array.of(0.5, -1, 0.2)]);
    const table = tf.tidy(() => {
      const embedding = new Embedding({ vocabularySize: 5, embeddingSize: 3, initializer: vectors.initializer });
      const values = embedding.table.dataSync();
      embedding.dispose();
      return values;
    });
    expect(table).toEqual(vectors.table);
    expect(() => vectors.initializer([5, 4], new Rng(0))).toThrow(ShapeError);
  });

  it.each([
    ['a header', `5 3\n${glove}`],
    [
      'a byte order mark, CRLF, spaces at the end, empty lines',
      `\ufeff5 3\r\n${glove.replaceAll('\n', ' \r\n\r\n')} \r\n`,
    ],
    ['tabs', glove.replaceAll(' ', '\t').replace('.\t.\t.', '. . .')],
  ])('reads %s', async (_, text) => {
    const plain = await readVectors([glove], { vocabulary });
    expect((await readVectors([text], { vocabulary })).table).toEqual(plain.table);
    expect((await readVectors([...text], { vocabulary })).table).toEqual(plain.table); // chunk by chunk of one character
  });

  it('takes a word with spaces, and the lower case of a word when asked', async () => {
    const vectors = await readVectors([glove], { vocabulary: ['. . .', 'Dog', 'CAT', 'cat'], ignoreCase: true });
    expect([0, 1, 2, 3].map(id => row(vectors.table, id))).toEqual([
      [7, 8, 9],
      [4, 5, 6],
      [1, 2, 3],
      [1, 2, 3],
    ]);
    // The word itself goes before its lower case, wherever it stands.
    const both = await readVectors(['cat 1\nCAT 2\n'], { vocabulary: ['CAT'], ignoreCase: true });
    expect([...both.table]).toEqual([2]);
  });

  it('gives words that the file lacks zeros, or what an initializer draws from a seed', async () => {
    const options = { vocabulary: ['<unk>', 'cat', ...Array.from({ length: 200 }, (_, i) => `w${i}`)] };
    const { table } = await readVectors([glove], options);
    expect(row(table, 0)).toEqual([0, 0, 0]);
    expect(table.filter(x => x !== 0)).toEqual(Float32Array.of(1, 2, 3));
    const drawn = { ...options, initializer: normal(3) };
    const vectors = await readVectors([glove], { ...drawn, rng: new Rng(4) });
    expect((await readVectors([glove], { ...drawn, rng: new Rng(4) })).table).toEqual(vectors.table);
    expect((await readVectors([glove], { ...drawn, rng: new Rng(5) })).table).not.toEqual(vectors.table);
    const others = [...vectors.table.subarray(6)];
    expect(Math.sqrt(others.reduce((sum, x) => sum + x * x, 0) / others.length)).toBeCloseTo(3, 0);
    await expectNoLeak(() => readVectors([glove], drawn).then(() => undefined));
  });

  it('stops after maximumWords', async () => {
    const options = { vocabulary: ['the', 'dog'], maximumWords: 2 };
    expect((await readVectors([`5 3\n${glove}`], options)).missing).toEqual(['dog']);
  });

  it.each<[string, string, RegExp]>([
    ['too few numbers', 'a 1 2\nb 1\n', /line 2: a line must be a word and its numbers, expected 2 numbers, got 1\./],
    ['too many', 'a 1 2\nb 1.5 2 3\n', /line 2: .*expected 2 numbers, got 3\./],
    ['no number', 'a 1 2\nb 1 two\n', /line 2: number 2 of a line must be finite, expected a number, got "two"\./],
    ['infinity', 'a 1 2\n\nb 1 1e99\n', /line 3: number 2/],
    ['a header that promises more', '3 2\na 1 2\nb 1 2\n', /line 3: .*header says, expected 3, got 2\./],
    ['nothing', '', /line 1: there must be a vector/],
    ['a header alone', '0 3\n', /there must be a vector/],
  ])('refuses %s', async (_, text, message) => {
    const reading = readVectors([text], { vocabulary: ['a', 'b'] });
    await expect(reading).rejects.toThrow(message);
    await expect(readVectors([text], { vocabulary: ['a', 'b'] })).rejects.toThrow(FormatError);
  });

  it('refuses what does not fit', async () => {
    await expect(readVectors([glove], { vocabulary: [] })).rejects.toThrow(ArgumentError);
    await expect(readVectors([glove], { vocabulary: ['a', 'a'] })).rejects.toThrow(/each once, got 1 twice/);
    await expect(readVectors([`9 3\n${glove}`], { vocabulary, size: 4 })).rejects.toThrow(/expected 4, got 3/);
    await expect(readVectors([glove], { vocabulary, signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
