import { checkNumber, checkPair, MetricError } from './errors.ts';

/** What `rankingReport` gives back. */
export interface RankingReport {
  /** Probability that a positive example scores above a negative one, ties counting half: 0.5 is chance. */
  readonly rocAuc: number;
  /** Σ (recall step) · precision over falling thresholds: chance is the share of positives. */
  readonly averagePrecision: number;
}

/**
 * How well scores of a binary classifier put positives before negatives, whatever the threshold; equal to scikit-learn's
 * `roc_auc_score` and `average_precision_score`.
 *
 * Source: Hanley & McNeil 1982 (area under the ROC curve as a rank statistic).
 *
 * @param targets 1 for positive, 0 for negative
 * @param scores larger where positive is likelier, on any scale
 * @throws MetricError when the lengths differ, a target is not 0 or 1, a score is not finite, or one of both classes is missing
 */
export function rankingReport(targets: ArrayLike<number>, scores: ArrayLike<number>): RankingReport {
  const where = 'rankingReport';
  checkPair(where, { name: 'targets', values: targets }, { name: 'scores', values: scores });
  const order = Array.from(scores, (_, i) => i);
  for (const i of order) {
    checkNumber(where, `scores[${i}]`, scores[i]!);
    if (targets[i] === 0 || targets[i] === 1) continue;
    throw new MetricError({ where, rule: `targets[${i}] must be 0 or 1`, got: String(targets[i]) });
  }
  order.sort((a, b) => scores[b]! - scores[a]!);
  const positives = order.reduce((sum, i) => sum + targets[i]!, 0);
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) {
    const got = `${positives} positive, ${negatives} negative`;
    throw new MetricError({ where, rule: 'there must be positive and negative targets', got });
  }
  let [above, seen, wins, averagePrecision] = [0, 0, 0, 0];
  while (seen < order.length) {
    const score = scores[order[seen]!]!;
    let [tiedPositives, tied] = [0, 0];
    for (; seen + tied < order.length && scores[order[seen + tied]!] === score; tied++) {
      tiedPositives += targets[order[seen + tied]!]!;
    }
    // A negative loses to every positive above it, and ties count half.
    wins += (tied - tiedPositives) * (above + tiedPositives / 2);
    above += tiedPositives;
    seen += tied;
    averagePrecision += (tiedPositives / positives) * (above / seen);
  }
  return { rocAuc: wins / (positives * negatives), averagePrecision };
}
