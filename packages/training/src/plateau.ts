import { type Complete, checkChoice, checkNumber, FormatError } from '@ostinato/core';
import { fromJsonNumber, type JsonNumber, toJsonNumber } from './json-number.ts';
import type { Schedule } from './schedules.ts';

/** Options of `Plateau`. */
export interface PlateauOptions {
  readonly rate: number;
  /** The rate is multiplied by this. Default 0.1. */
  readonly factor?: number | undefined;
  /** Measurements without improvement that are tolerated. Default 10. */
  readonly patience?: number | undefined;
  /** Whether the metric should fall or rise. Default 'min'. */
  readonly mode?: 'min' | 'max' | undefined;
  /** What counts as an improvement. Default 1e-4. */
  readonly threshold?: number | undefined;
  /** Whether `threshold` is a fraction of the best value or an amount. Default 'relative'. */
  readonly thresholdMode?: 'relative' | 'absolute' | undefined;
  /** Measurements after a reduction that are not judged. Default 0. */
  readonly cooldown?: number | undefined;
  /** Default 0. */
  readonly minimum?: number | undefined;
}

/** What a `Plateau` remembers: plain JSON data. */
export interface PlateauState {
  readonly rate: number;
  /** `null` before the first measurement that is better than the worst there is. */
  readonly best: JsonNumber | null;
  readonly badMeasurements: number;
  readonly cooldownLeft: number;
}

/**
 * A learning rate that falls when a metric stops improving, as PyTorch's ReduceLROnPlateau. The one schedule that depends
 * on more than the step: `observe` each measurement, and save `state()` in checkpoints (`fit` does both).
 *
 * Reductions by less than 1e-8 are not made. A NaN metric is no improvement, nor is one that is infinitely bad.
 */
export class Plateau {
  readonly #options: Complete<PlateauOptions>;
  #state: Omit<PlateauState, 'best'> & { readonly best: number | null };

  /** @throws ArgumentError when factor is outside (0, 1), another number negative, or a mode unknown */
  constructor({
    rate,
    factor = 0.1,
    patience = 10,
    mode = 'min',
    threshold = 1e-4,
    thresholdMode = 'relative',
    cooldown = 0,
    minimum = 0,
  }: PlateauOptions) {
    checkNumber('Plateau', 'rate', rate, { min: 0 });
    checkNumber('Plateau', 'factor', factor, { above: 0, below: 1 });
    checkNumber('Plateau', 'patience', patience, { min: 0, integer: true });
    checkNumber('Plateau', 'cooldown', cooldown, { min: 0, integer: true });
    checkNumber('Plateau', 'threshold', threshold, { min: 0 });
    checkNumber('Plateau', 'minimum', minimum, { min: 0 });
    checkChoice('Plateau', 'mode', mode, ['min', 'max']);
    checkChoice('Plateau', 'thresholdMode', thresholdMode, ['relative', 'absolute']);
    this.#options = { rate, factor, patience, mode, threshold, thresholdMode, cooldown, minimum };
    this.#state = { rate, best: null, badMeasurements: 0, cooldownLeft: 0 };
  }

  /** The rate now, whatever the step. Pass it as `learningRate`. */
  readonly schedule: Schedule = () => this.#state.rate;

  /** Takes note of a measurement; from the next step on the rate may be lower. */
  observe(metric: number): void {
    const { factor, patience, cooldown, minimum } = this.#options;
    let { rate, best, badMeasurements, cooldownLeft } = this.#state;
    if (this.#improves(metric, best)) {
      best = metric;
      badMeasurements = 0;
    } else badMeasurements++;
    if (cooldownLeft > 0) {
      cooldownLeft--;
      badMeasurements = 0;
    }
    if (badMeasurements > patience) {
      const lower = Math.max(rate * factor, minimum);
      if (rate - lower > 1e-8) rate = lower;
      cooldownLeft = cooldown;
      badMeasurements = 0;
    }
    this.#state = { rate, best, badMeasurements, cooldownLeft };
  }

  #improves(metric: number, best: number | null): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === 'min' ? -1 : 1;
    // As PyTorch, the best value begins infinitely bad. From an infinite one no margin can be taken.
    const known = best ?? -sign * Infinity;
    if (!Number.isFinite(known)) return sign * metric > sign * known;
    // As PyTorch, a relative threshold is taken of the signed value: for a negative metric it asks for less, not more.
    const limit = thresholdMode === 'relative' ? known * (1 + sign * threshold) : known + sign * threshold;
    return sign * metric > sign * limit;
  }

  /** What it remembers, as plain JSON data. */
  state(): PlateauState {
    return { ...this.#state, best: toJsonNumber(this.#state.best) };
  }

  /** Goes on from `state`. Throws FormatError when it is no such state. */
  restore(state: PlateauState): void {
    const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
    const best = fromJsonNumber(state?.best);
    const fits = Number.isFinite(state?.rate) && isCount(state.badMeasurements) && isCount(state.cooldownLeft);
    if (!fits || best === undefined) {
      const rule = 'state must be { rate, best, badMeasurements, cooldownLeft }';
      throw new FormatError({ where: 'Plateau.restore', rule, got: JSON.stringify(state) });
    }
    const { rate, badMeasurements, cooldownLeft } = state;
    this.#state = { rate, best, badMeasurements, cooldownLeft };
  }
}
