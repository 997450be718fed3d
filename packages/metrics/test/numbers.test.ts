import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accuracy,
  classificationReport,
  confusionMatrix,
  corpusBleu,
  corpusCider,
  forecastErrors,
  intervalCoverage,
  MetricError,
  mase,
  pinballLoss,
  rankingReport,
  sentenceChrf,
  sentenceRouge,
  topAccuracy,
} from '../src/index.ts';

describe('classification', () => {
  it('counts by target, then prediction', () => {
    expect(confusionMatrix([0, 0, 1, 2], [0, 1, 1, 1], { numClasses: 3 })).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [0, 1, 0],
    ]);
    expect(accuracy(['a', 'b'], ['a', 'c'])).toBe(0.5);
    expect(topAccuracy([2, 0], [0.1, 0.5, 0.4, 0.2, 0.3, 0.5], { numClasses: 3, count: 2 })).toBe(0.5);
  });

  it('is 0 in Matthews and AUC ½ for a constant guess', () => {
    expect(classificationReport([0, 1, 1], [1, 1, 1], { numClasses: 2 }).matthews).toBe(0);
    expect(rankingReport([0, 1, 1], [2, 2, 2]).rocAuc).toBe(0.5);
  });
});

describe('forecasts', () => {
  it('MASE by hand: errors 2 and 4, naive error of the training series 1.5', () => {
    expect(mase([10, 20], [12, 16], { training: [1, 2, 4] })).toBe(2);
    // Two apart: |3 − 1|, |7 − 2|, mean 3.5.
    expect(mase([10, 20], [12, 16], { training: [1, 2, 3, 7], season: 2 })).toBeCloseTo(3 / 3.5, 12);
  });

  it('pinball loss is least at the quantile, and half the mean absolute error at one half', () => {
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        values,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: -60, max: 60 }),
        (targets, tenth, guess) => {
          const loss = (value: number): number =>
            pinballLoss(
              targets,
              targets.map(() => value),
              { quantile: tenth / 10 },
            );
          const sorted = targets.toSorted((a, b) => a - b);
          const quantile = sorted[Math.ceil((tenth * targets.length) / 10) - 1]!;
          expect(loss(quantile)).toBeLessThanOrEqual(loss(guess) + 1e-9);
        },
      ),
    );
    const [targets, predictions] = [
      [1, 5, 2],
      [3, 1, 2],
    ];
    expect(pinballLoss(targets!, predictions!, { quantile: 0.5 })).toBeCloseTo(
      forecastErrors(targets!, predictions!).mae / 2,
      12,
    );
  });

  it('counts targets inside intervals, bounds included; zeros are no error in percentages', () => {
    expect(intervalCoverage([1, 2, 3, 4], { lower: [1, 0, 4, 0], upper: [1, 1, 5, 9] })).toBe(0.5);
    expect(forecastErrors([0, 2], [0, 2])).toEqual({ mae: 0, rmse: 0, mape: 0, smape: 0, r2: 1 });
    expect(forecastErrors([0], [1]).smape).toBe(200);
  });
});

it('gives captions equal to all their references 10, and ones without common words 0', () => {
  const captions = ['a red cat sits there', 'two big dogs run fast'];
  expect(corpusCider(captions, captions).score).toBeCloseTo(10, 9);
  expect(corpusCider(captions, captions.toReversed()).score).toBe(0);
});

it('takes the best reference', () => {
  expect(sentenceRouge('a b', ['c d', 'a b']).rougeL.f1).toBe(1);
  expect(sentenceChrf('ab', ['cd', 'ab']).score).toBe(100);
});

describe('what is refused', () => {
  const cases: [string, () => unknown, string][] = [
    ['no hypothesis', () => corpusBleu([], []), 'corpusBleu: there must be at least one hypothesis, got none.'],
    ['one text', () => corpusBleu('abc' as never, ['abc']), 'hypotheses must be a list of texts'],
    [
      'unequal counts',
      () => corpusBleu(['a'], ['a', 'b']),
      'every hypothesis needs its references, expected 1 entries, got 2',
    ],
    ['no reference', () => corpusBleu(['a'], [[]]), 'references[0] must hold at least one reference'],
    ['a tokenizer', () => corpusBleu(['a'], ['a'], { tokenize: 'zh' as never }), "'13a' | 'intl' | 'char' | 'none'"],
    [
      'a class',
      () => confusionMatrix([3], [0], { numClasses: 3 }),
      'targets[0] must be a class, expected 0 … 2, got 3.',
    ],
    ['lengths', () => accuracy([1], [1, 2]), 'targets and predictions must have the same length, got 1 and 2.'],
    ['NaN', () => forecastErrors([Number.NaN], [1]), 'targets[0] must be a finite number, got NaN.'],
    ['a constant series', () => mase([1], [1], { training: [5, 5] }), 'the training series must not repeat exactly'],
    ['a quantile', () => pinballLoss([1], [1], { quantile: 1 }), 'quantile must be a finite number > 0 < 1'],
    ['one class', () => rankingReport([1, 1], [1, 2]), 'got 2 positive, 0 negative'],
  ];
  it.each(cases)('%s', (_, call, message) => {
    expect(call).toThrow(MetricError);
    expect(call).toThrow(message);
  });
});
