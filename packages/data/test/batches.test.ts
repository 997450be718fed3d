import { LengthBatches, padSequences } from '@ostinato/data';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('padSequences', () => {
  it('gives every row back', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(9), { maxLength: 6 }), { minLength: 1, maxLength: 5 }), rows => {
        const { ids, lengths, shape } = padSequences(rows, { paddingId: -7 });
        expect(shape).toEqual([rows.length, Math.max(...rows.map(row => row.length))]);
        for (const [i, row] of rows.entries()) {
          const found = Array.from(ids.subarray(i * shape[1], (i + 1) * shape[1]));
          expect(found.slice(0, lengths[i])).toEqual(row);
          expect(found.slice(lengths[i]).every(id => id === -7)).toBe(true);
        }
      }),
    );
  });

  it('cuts the end or the start, or refuses', () => {
    const rows = [[1, 2, 3], Int32Array.of(4)];
    expect(padSequences(rows, { maximumLength: 2 }).ids).toEqual(Int32Array.of(1, 2, 4, 0));
    expect(padSequences(rows, { maximumLength: 2, truncation: 'start' }).ids).toEqual(Int32Array.of(2, 3, 4, 0));
    expect(padSequences([[1]], { maximumLength: 3, padToMaximum: true }).shape).toEqual([1, 3]);
    expect(() => padSequences(rows, { maximumLength: 2, truncation: 'error' })).toThrow(
      'no row may be longer than maximumLength, expected ≤ 2, got 3 in row 0',
    );
    expect(() => padSequences([])).toThrow('at least one row');
    expect(() => padSequences(rows, { padToMaximum: true })).toThrow('needs maximumLength');
  });
});

const items = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
  minLength: 1,
  maxLength: 40,
});
const sides = (pairs: readonly (readonly [number, number])[]) => [pairs.map(([a]) => a), pairs.map(([, b]) => b)];

describe('LengthBatches', () => {
  it('has every item once an epoch, within its limits', () => {
    fc.assert(
      fc.property(items, fc.nat(20), fc.integer({ min: 1, max: 4 }), (pairs, seed, bucketWidth) => {
        const lengths = sides(pairs);
        const source = new LengthBatches({ lengths, maximumTokens: 40, batchSize: 6, bucketWidth, seed });
        for (let epoch = 0; epoch < 2; epoch++) {
          const { batchesPerEpoch } = source;
          const batches = [...source];
          expect(batches.length).toBe(batchesPerEpoch);
          expect(batches.flatMap(batch => Array.from(batch)).toSorted((a, b) => a - b)).toEqual(pairs.map((_, i) => i));
          for (const batch of batches) {
            const longest = lengths.map(side => Math.max(...Array.from(batch, i => side[i]!)));
            expect(batch.length * (longest[0]! + longest[1]!)).toBeLessThanOrEqual(40);
            expect(batch.length).toBeLessThanOrEqual(6);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('goes from short to long without a seed, and mixes with one', () => {
    const lengths = [Array.from({ length: 60 }, (_, i) => 1 + ((i * 7) % 10))];
    const plain = new LengthBatches({ lengths, batchSize: 6 });
    const seen = [...plain].flatMap(batch => Array.from(batch, i => lengths[0]![i]!));
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    const mixed = new LengthBatches({ lengths, batchSize: 6, seed: 1 });
    expect([...mixed]).not.toEqual([...mixed]);
  });

  it('says what does not fit', () => {
    expect(() => new LengthBatches({ lengths: [[1]] })).toThrow('maximumTokens or batchSize must be given');
    expect(() => new LengthBatches({ lengths: [], batchSize: 1 })).toThrow('at least one item');
    expect(() => new LengthBatches({ lengths: [[1], [1, 2]], batchSize: 1 })).toThrow('expected 1, got 2');
    expect(
      () =>
        new LengthBatches({
          lengths: [
            [1, 9],
            [1, 4],
          ],
          maximumTokens: 12,
        }),
    ).toThrow('got 13 in item 1');
  });
});
