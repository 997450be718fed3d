import { ContiguousStreams, concatenateDocuments } from '@ostinato/data';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const tokens = Int32Array.from({ length: 24 }, (_, i) => i);

describe('ContiguousStreams', () => {
  it('reads parallel streams in consecutive windows', () => {
    // ⌊23 / 2⌋ = 11 steps a stream; token 23 is never needed.
    const source = new ContiguousStreams({ tokens, batchSize: 2, windowLength: 4, documentStarts: [0, 6, 14] });
    expect(source.batchesPerEpoch).toBe(3);
    expect([...source]).toEqual([
      {
        inputs: Int32Array.of(0, 1, 2, 3, 11, 12, 13, 14),
        targets: Int32Array.of(1, 2, 3, 4, 12, 13, 14, 15),
        reset: Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 1),
        shape: [2, 4],
      },
      {
        inputs: Int32Array.of(4, 5, 6, 7, 15, 16, 17, 18),
        targets: Int32Array.of(5, 6, 7, 8, 16, 17, 18, 19),
        reset: Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0),
        shape: [2, 4],
      },
      {
        inputs: Int32Array.of(8, 9, 10, 19, 20, 21),
        targets: Int32Array.of(9, 10, 11, 20, 21, 22),
        reset: new Uint8Array(6),
        shape: [2, 3],
      },
    ]);
    expect(source.state()).toEqual({ epoch: 1, position: 0, batchSize: 2, length: 24 });
    expect([...source]).toHaveLength(3);
  });

  it('leaves out a short last window when asked to', () => {
    const source = new ContiguousStreams({ tokens, batchSize: 2, windowLength: 4, dropLast: true });
    expect([...source].map(batch => batch.shape)).toEqual([
      [2, 4],
      [2, 4],
    ]);
    expect(source.batchesPerEpoch).toBe(2);
  });

  it('says how many tokens it needs', () => {
    expect(() => new ContiguousStreams({ tokens, batchSize: 4, windowLength: 6 })).toThrow(
      'ContiguousStreams: too few tokens, expected at least 25 (4 streams of one window of 6, and the last target), got 24.',
    );
    expect([...new ContiguousStreams({ tokens, batchSize: 1, windowLength: 23 })]).toHaveLength(1);
  });

  it('checks where documents start', () => {
    const make = (documentStarts: number[]) => () =>
      new ContiguousStreams({ tokens, batchSize: 1, windowLength: 4, documentStarts });
    expect(make([0, 24])).toThrow(
      'documentStarts must be rising indices of tokens, expected documentStarts[1] in 1 … 23, got 24',
    );
    expect(make([3, 3])).toThrow('expected documentStarts[1] in 4 … 23, got 3');
    expect(make([0.5])).toThrow('got 0.5');
  });

  it('puts every stream together again', () => {
    const documents = fc.array(fc.array(fc.nat(9), { maxLength: 12 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        documents,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 6 }),
        (lists, batchSize, windowLength) => {
          const { tokens, documentStarts } = concatenateDocuments(lists.map(list => Int32Array.from(list)));
          fc.pre(tokens.length > batchSize * windowLength);
          const streams = Array.from({ length: batchSize }, () => ({
            inputs: [] as number[],
            targets: [] as number[],
            reset: [] as number[],
          }));
          for (const batch of new ContiguousStreams({ tokens, batchSize, windowLength, documentStarts })) {
            const [, time] = batch.shape;
            streams.forEach((stream, row) => {
              for (const name of ['inputs', 'targets', 'reset'] as const)
                stream[name].push(...batch[name].slice(row * time, (row + 1) * time));
            });
          }
          const length = Math.floor((tokens.length - 1) / batchSize);
          streams.forEach((stream, row) => {
            const start = row * length;
            expect(stream.inputs).toEqual([...tokens.slice(start, start + length)]);
            expect(stream.targets).toEqual([...tokens.slice(start + 1, start + length + 1)]);
            expect(stream.reset).toEqual(
              stream.inputs.map((_, t) => Number(t === 0 || documentStarts.includes(start + t))),
            );
          });
        },
      ),
    );
  });
});

describe('concatenateDocuments', () => {
  it('notes where each begins', () => {
    expect(concatenateDocuments([Int32Array.of(5, 6), new Int32Array(0), Uint8Array.of(7)])).toEqual({
      tokens: Int32Array.of(5, 6, 7),
      documentStarts: Int32Array.of(0, 2),
    });
  });
});
