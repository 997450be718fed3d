import { isIob, MetricError, spanReport, spansOf } from '@ostinato/metrics';
import { describe, expect, it } from 'vitest';

const tags = (text: string): string[] => text.split(' ').filter(Boolean);

describe('spans', () => {
  it('begin at B, or at an I that follows no span of its type', () => {
    expect(spansOf(tags('O B-PER I-PER B-PER O I-LOC I-LOC I-PER'))).toEqual([
      { type: 'PER', start: 1, end: 3 },
      { type: 'PER', start: 3, end: 4 },
      { type: 'LOC', start: 5, end: 7 },
      { type: 'PER', start: 7, end: 8 },
    ]);
    expect(spansOf([])).toEqual([]);
    expect(isIob(['O', 'B-A'])).toBe(true);
    expect(isIob(['NOUN'])).toBe(false);
    expect(() => spansOf(['O', 'NOUN'])).toThrow('spansOf: a tag must be O, B-… or I-…, got "NOUN" at 1.');
  });

  it('count when words and type are right', () => {
    // The example of seqeval's README: one of two spans each way.
    const report = spanReport(
      [tags('O O O B-MISC I-MISC I-MISC O'), tags('B-PER I-PER O')],
      [tags('O O B-MISC I-MISC I-MISC I-MISC O'), tags('B-PER I-PER O')],
    );
    expect(report).toEqual({
      ...{ precision: 0.5, recall: 0.5, f1: 0.5, support: 2, predicted: 2 },
      perType: {
        MISC: { precision: 0, recall: 0, f1: 0, support: 1 },
        PER: { precision: 1, recall: 1, f1: 1, support: 1 },
      },
      macro: { precision: 0.5, recall: 0.5, f1: 0.5 },
    });
    // 3 targets, 2 predicted, 1 right.
    const uneven = spanReport([tags('B-A B-A O B-B')], [tags('B-A I-A O B-B')]);
    expect(uneven).toMatchObject({ precision: 1 / 2, recall: 1 / 3, predicted: 2, support: 3 });
    expect(uneven.f1).toBeCloseTo(0.4, 12);
    expect(spanReport([tags('O')], [tags('O')])).toMatchObject({ f1: 0, macro: { f1: 0 }, perType: {} });
  });

  it('need sentences of one length', () => {
    expect(() => spanReport([], [])).toThrow(MetricError);
    expect(() => spanReport([tags('O O')], [tags('O')])).toThrow(/targets\[0\] and predictions\[0\].*2 and 1/);
  });
});
