import { RandomWindows, SequentialWindows, type WindowBatch } from '@ostinato/data';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const tokens = Int32Array.from({ length: 50 }, (_, i) => i * 3);

/** The rows of a batch; checks that targets are the inputs one step later. */
function rows({ inputs, targets, shape: [batch, time] }: WindowBatch): number[][] {
  return Array.from({ length: batch }, (_, row) => {
    const slice = [...inputs.slice(row * time, (row + 1) * time)];
    const next = [...targets.slice(row * time, (row + 1) * time)];
    expect(next.slice(0, -1)).toEqual(slice.slice(1));
    expect(next.at(-1)).toBe(slice.at(-1)! + 3);
    return slice;
  });
}

describe('RandomWindows', () => {
  it('goes on only with the sizes that it was saved with', () => {
    const state = new RandomWindows(options).state();
    for (const sizes of [{ batchSize: 5 }, { windowLength: 6 }]) {
      const other = new RandomWindows({ ...options, ...sizes });
      expect(() => other.restore(state)).toThrow(
        `state.${Object.keys(sizes)[0]}, expected ${Object.values(sizes)[0]}, got`,
      );
      expect(other.state().position).toBe(0);
    }
    new RandomWindows(options).restore(state);
  });

  const options = { tokens, batchSize: 4, windowLength: 8, seed: 7 };

  it('draws windows anywhere, each start as likely as another', () => {
    const source = new RandomWindows({ ...options, batchSize: 1000, windowLength: 45 });
    const starts = rows(source.next().value!).map(row => row[0]! / 3);
    const counts = [0, 1, 2, 3, 4].map(start => starts.filter(other => other === start).length);
    expect(counts.reduce((a, b) => a + b)).toBe(1000);
    for (const count of counts) expect(count).toBeGreaterThan(150);
    expect(source.batchesPerEpoch).toBe(Infinity);
  });

  it('depends on the seed alone', () => {
    const first = new RandomWindows(options).next().value;
    expect(new RandomWindows(options).next().value).toEqual(first);
    expect(new RandomWindows({ ...options, seed: 8 }).next().value).not.toEqual(first);
  });

  it('takes other integer types', () => {
    expect(new RandomWindows({ ...options, tokens: Uint8Array.from(tokens) }).next().value).toEqual(
      new RandomWindows(options).next().value,
    );
  });

  it('says how many tokens it needs', () => {
    expect(() => new RandomWindows({ ...options, windowLength: 50 })).toThrow(
      'RandomWindows: too few tokens, expected at least 51 (one window of 50 and its last target), got 50.',
    );
    expect(new RandomWindows({ ...options, windowLength: 49 }).next().value!.shape).toEqual([4, 49]);
    expect(() => new RandomWindows({ ...options, batchSize: 0 })).toThrow('batchSize must be an integer ≥ 1, got 0');
    expect(() => new RandomWindows({ ...options, tokens: [1, 2] as unknown as Int32Array })).toThrow(
      'tokens must be a typed array of ids, expected Int32Array | Uint32Array | Uint16Array | Uint8Array, got Array',
    );
  });
});

describe('SequentialWindows', () => {
  const options = { tokens, batchSize: 4, windowLength: 8 };

  it('goes through the text once an epoch', () => {
    const source = new SequentialWindows(options);
    expect(source.batchesPerEpoch).toBe(2);
    for (const epoch of [0, 1]) {
      expect(source.state().epoch).toBe(epoch);
      const batches = [...source];
      expect(batches.map(batch => batch.shape)).toEqual([
        [4, 8],
        [2, 8],
      ]);
      expect(batches.flatMap(rows).flat()).toEqual([...tokens.slice(0, 48)]);
    }
  });

  it('overlaps windows by the stride', () => {
    const starts = [...new SequentialWindows({ ...options, stride: 5 })].flatMap(rows).map(row => row[0]! / 3);
    expect(starts).toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40]);
  });

  it('leaves a last batch out when asked to', () => {
    const source = new SequentialWindows({ ...options, dropLast: true });
    expect([...source].map(batch => batch.shape)).toEqual([[4, 8]]);
    expect(source.batchesPerEpoch).toBe(1);
  });

  it('shuffles anew every epoch', () => {
    const source = new SequentialWindows({ ...options, stride: 1, seed: 3 });
    const epochs = [0, 1].map(() => [...source].flatMap(rows).map(row => row[0]! / 3));
    expect(epochs[0]).not.toEqual(epochs[1]);
    for (const epoch of epochs)
      expect(epoch.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 42 }, (_, i) => i));
  });

  it('goes on where an early break left it', () => {
    const source = new SequentialWindows(options);
    for (const batch of source) {
      expect(rows(batch)[0]![0]).toBe(0);
      break;
    }
    for (const batch of source) expect(rows(batch)[0]![0]).toBe(4 * 8 * 3);
  });

  it('says how many tokens it needs', () => {
    expect(() => new SequentialWindows({ ...options, tokens: tokens.slice(0, 8) })).toThrow(
      'SequentialWindows: too few tokens, expected at least 9 (one window of 8 and its last target), got 8.',
    );
    expect(() => new SequentialWindows({ ...options, tokens: tokens.slice(0, 32), dropLast: true })).toThrow(
      'expected at least 33 (4 windows of 8 and its last target), got 32',
    );
    expect([...new SequentialWindows({ ...options, tokens: tokens.slice(0, 33), dropLast: true })]).toHaveLength(1);
  });

  it('has every whole window, whatever the sizes', () => {
    const sizes = fc.record({
      length: fc.integer({ min: 2, max: 60 }),
      windowLength: fc.integer({ min: 1, max: 10 }),
      batchSize: fc.integer({ min: 1, max: 5 }),
      stride: fc.integer({ min: 1, max: 12 }),
      seed: fc.option(fc.nat(), { nil: undefined }),
    });
    fc.assert(
      fc.property(sizes, ({ length, ...rest }) => {
        fc.pre(length > rest.windowLength);
        const starts = [...new SequentialWindows({ tokens: Int32Array.from({ length }, (_, i) => 3 * i), ...rest })]
          .flatMap(rows)
          .map(row => row[0]! / 3);
        const wanted: number[] = [];
        for (let start = 0; start + rest.windowLength < length; start += rest.stride) wanted.push(start);
        expect(starts.toSorted((a, b) => a - b)).toEqual(wanted);
      }),
    );
  });
});
