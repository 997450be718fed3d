import {
  type BatchSource,
  ContiguousStreams,
  LengthBatches,
  RandomWindows,
  type Resumable,
  SequentialWindows,
  Shuffle,
} from '@ostinato/data';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const tokens = Int32Array.from({ length: 83 }, (_, i) => (i * 37) % 83);
const sizes = { tokens, batchSize: 3, windowLength: 5 };

type Source = Resumable<never> & Iterator<unknown, undefined>;

const lengths = [
  Array.from({ length: 31 }, (_, i) => 1 + ((i * 7) % 9)),
  Array.from({ length: 31 }, (_, i) => 1 + (i % 5)),
];

const makers: Record<string, () => Source> = {
  Shuffle: () => new Shuffle({ length: 17, seed: 5 }) as unknown as Source,
  RandomWindows: () => new RandomWindows({ ...sizes, seed: 5 }) as unknown as Source,
  SequentialWindows: () => new SequentialWindows(sizes) as unknown as Source,
  'SequentialWindows, shuffled': () => new SequentialWindows({ ...sizes, stride: 2, seed: 5 }) as unknown as Source,
  ContiguousStreams: () => new ContiguousStreams({ ...sizes, documentStarts: [0, 9, 41] }) as unknown as Source,
  LengthBatches: () => new LengthBatches({ lengths, maximumTokens: 30 }) as unknown as Source,
  'LengthBatches, shuffled': () => new LengthBatches({ lengths, maximumTokens: 30, seed: 5 }) as unknown as Source,
};

describe.each(Object.entries(makers))('%s', (_, make) => {
  it('continues from a saved state exactly as if it had never stopped', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), (before, after) => {
        const uninterrupted = make();
        for (let i = 0; i < before; i++) uninterrupted.next();
        const state = JSON.parse(JSON.stringify(uninterrupted.state()));
        const resumed = make();
        resumed.next();
        resumed.restore(state as never);
        expect(resumed.state()).toEqual(state);
        for (let i = 0; i < after; i++) expect(resumed.next()).toEqual(uninterrupted.next());
      }),
      { numRuns: 30 },
    );
  });

  it('refuses damaged states and stays as it was', () => {
    const source = make();
    source.next();
    const good = source.state() as Record<string, unknown>;
    const bad: unknown[] = [
      null,
      [],
      3,
      {},
      { ...good, extra: 1 },
      { ...good, position: -1 },
      { ...good, position: 1e99 },
      { ...good, position: '1' },
      { ...good, length: 4 },
    ];
    if ('seed' in good) bad.push({ ...good, seed: 0.5 }, { ...good, seed: 'x' });
    for (const state of bad) {
      expect(() => source.restore(state as never)).toThrow(/restore: .*state/);
      expect(source.state()).toEqual(good);
    }
  });
});

describe('Shuffle', () => {
  it('is a permutation, another one every epoch', () => {
    const shuffle = new Shuffle({ length: 100, seed: 1 });
    const [first, second] = [[...shuffle], [...shuffle]];
    expect(first).not.toEqual(second);
    const sorted = Array.from({ length: 100 }, (_, i) => i);
    expect(first.toSorted((a, b) => a - b)).toEqual(sorted);
    expect(second!.toSorted((a, b) => a - b)).toEqual(sorted);
    expect(shuffle.state()).toEqual({ seed: 1, epoch: 2, position: 0, length: 100 });
  });

  it('says what is wrong with its state', () => {
    const shuffle = new Shuffle({ length: 10, seed: 1 });
    const state = shuffle.state();
    expect(() => shuffle.restore({ ...state, length: 11 })).toThrow(
      'Shuffle.restore: state.length, expected 10, got 11. The state was saved with other data or other sizes.',
    );
    expect(() => shuffle.restore({ ...state, position: 11 })).toThrow(
      'Shuffle.restore: state.position, expected an integer in 0 … 10, got 11.',
    );
    expect(() => new Shuffle({ length: 0, seed: 1 })).toThrow('Shuffle: length must be an integer ≥ 1');
    expect(() => new Shuffle({ length: 3, seed: -1 })).toThrow('seed must be an integer ≥ 0');
  });
});

it('has one interface for all sources of batches', () => {
  const sources: BatchSource<{ inputs: Int32Array }, never>[] = [
    new RandomWindows({ ...sizes, seed: 5 }) as never,
    new SequentialWindows(sizes) as never,
    new ContiguousStreams(sizes) as never,
  ];
  for (const source of sources) expect(source.next().value!.inputs).toHaveLength(15);
});
