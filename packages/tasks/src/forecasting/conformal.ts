import type { Forecaster } from './model.ts';

/** Scores of held-out values by target and interval, rising. */
export class ConformalScores {
  readonly #model: Forecaster;
  readonly #scores: readonly (readonly number[][])[];

  constructor(model: Forecaster) {
    this.#model = model;
    const { targets, intervals } = model.config;
    this.#scores = targets.map(() => intervals.map((): number[] => []));
  }

  /** How many scores there are for each target and interval. */
  get count(): number {
    return this.#scores[0]?.[0]?.length ?? 0;
  }

  /**
   * Adds E = max(lower − y, y − upper) of every value.
   *
   * @param quantiles [batch, horizon, targets, quantiles], of the network, without correction
   * @param truth [batch, horizon, targets], in its numbers
   */
  add(quantiles: ArrayLike<number>, truth: Float32Array): void {
    const { targets, intervals } = this.#model.config;
    const middle = intervals.length;
    const levels = 2 * middle + 1;
    for (const [place, y] of truth.entries()) {
      for (const i of intervals.keys()) {
        const lower = quantiles[place * levels + middle - 1 - i]!;
        const upper = quantiles[place * levels + middle + 1 + i]!;
        insert(this.#scores[place % targets.length]![i]!, Math.max(lower - y, y - upper));
      }
    }
  }

  /** float32 [horizon, targets, quantiles]: what moves the bounds so that they cover as many of the values as they promise. */
  correction(): Float32Array {
    const { horizon, targets, intervals } = this.#model.config;
    const middle = intervals.length;
    const levels = 2 * middle + 1;
    const correction = new Float32Array(horizon * targets.length * levels); // [H, K, Q]
    for (let place = 0; place < horizon * targets.length; place++) {
      for (const [i, interval] of intervals.entries()) {
        const offset = conformalScore(this.#scores[place % targets.length]![i]!, interval);
        correction[place * levels + middle - 1 - i] = -offset;
        correction[place * levels + middle + 1 + i] = offset;
      }
    }
    return correction;
  }
}

/** The ⌈(n + 1) c⌉-th smallest of n ≥ 1 rising scores; the greatest where n is less than c / (1 − c). */
function conformalScore(scores: readonly number[], coverage: number): number {
  const rank = Math.min(scores.length, Math.ceil((scores.length + 1) * coverage));
  return scores[rank - 1]!;
}

/** Inserts a number where it belongs. */
function insert(rising: number[], value: number): void {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! < value) low = middle + 1;
    else high = middle;
  }
  rising.splice(low, 0, value);
}
