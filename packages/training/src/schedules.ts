import { checkNumber } from '@ostinato/core';

/**
 * Schedules: a number for each step, mostly a learning rate. A schedule is a pure function, so a resumed run needs no more
 * than the step. Steps count from 0; the value at step t is the one that update t uses.
 */

/** The value at a step, 0-based. */
export type Schedule = (step: number) => number;

/** A number, or a schedule of numbers. */
export type Rate = number | Schedule;

/** The value of a rate at a step. */
export function rateAt(rate: Rate, step: number): number {
  return typeof rate === 'number' ? rate : rate(step);
}

function checkSteps(where: string, name: string, value: number): void {
  checkNumber(where, name, value, { min: 1, integer: true });
}

/** Always `rate`. */
export function constant(rate: number): Schedule {
  checkNumber('constant', 'rate', rate);
  return () => rate;
}

/** From `from` to `to` in `steps` equal steps, then `to`: from + (to − from)·min(t, steps)/steps. */
export function linear({ from, to, steps }: { from: number; to: number; steps: number }): Schedule {
  checkSteps('linear', 'steps', steps);
  return step => from + ((to - from) * Math.min(step, steps)) / steps;
}

/** Times `factor` after every `every` steps: rate·factor^⌊t/every⌋. */
export function stepDecay({ rate, every, factor }: { rate: number; every: number; factor: number }): Schedule {
  checkSteps('stepDecay', 'every', every);
  return step => rate * factor ** Math.floor(step / every);
}

/** Times `factor` at each of `milestones`: rate·factor^(number of milestones ≤ t). */
export function multiStep(options: { rate: number; milestones: readonly number[]; factor: number }): Schedule {
  const { rate, milestones, factor } = options;
  return step => rate * factor ** milestones.filter(milestone => milestone <= step).length;
}

/** rate·factorᵗ. */
export function exponential({ rate, factor }: { rate: number; factor: number }): Schedule {
  return step => rate * factor ** step;
}

/** Half a cosine from `high` at fraction 0 to `low` at fraction 1. */
function cosineBetween(high: number, low: number, fraction: number): number {
  return low + ((high - low) * (1 + Math.cos(Math.PI * fraction))) / 2;
}

/** Options of `cosine`. */
export interface CosineOptions {
  readonly rate: number;
  /** Steps from `rate` to `minimum`. */
  readonly steps: number;
  /** Default 0. */
  readonly minimum?: number | undefined;
  /** What follows: stay at the minimum, or go on along the cosine, which rises again. Default 'hold'. */
  readonly afterwards?: 'hold' | 'rise' | undefined;
}

/**
 * Cosine annealing: minimum + (rate − minimum)·(1 + cos(π·t/steps))/2.
 *
 * Loshchilov and Hutter 2017, "SGDR", arXiv:1608.03983, eq. 5, without restarts. PyTorch's CosineAnnealingLR rises
 * afterwards, nanoGPT's holds.
 */
export function cosine({ rate, steps, minimum = 0, afterwards = 'hold' }: CosineOptions): Schedule {
  checkSteps('cosine', 'steps', steps);
  return step => cosineBetween(rate, minimum, (afterwards === 'hold' ? Math.min(step, steps) : step) / steps);
}

/** Options of `cosineWarmRestarts`. */
export interface CosineWarmRestartsOptions {
  readonly rate: number;
  /** Steps of the first period. */
  readonly period: number;
  /** Each period is so many times the one before; an integer. Default 1. */
  readonly multiplier?: number | undefined;
  /** Default 0. */
  readonly minimum?: number | undefined;
}

/** Cosine annealing that starts again after `period`, `period·multiplier`, … steps (arXiv:1608.03983, eq. 5). */
export function cosineWarmRestarts(options: CosineWarmRestartsOptions): Schedule {
  const { rate, period, multiplier = 1, minimum = 0 } = options;
  checkSteps('cosineWarmRestarts', 'period', period);
  checkSteps('cosineWarmRestarts', 'multiplier', multiplier);
  return step => {
    let length = period;
    let position = step;
    if (multiplier === 1) position %= period;
    while (position >= length) {
      position -= length;
      length *= multiplier;
    }
    return cosineBetween(rate, minimum, position / length);
  };
}

/** Options of `polynomial`. */
export interface PolynomialOptions {
  readonly rate: number;
  readonly steps: number;
  /** Default 1: a line. */
  readonly power?: number | undefined;
  /** Default 0. */
  readonly minimum?: number | undefined;
}

/** minimum + (rate − minimum)·(1 − min(t, steps)/steps)^power. */
export function polynomial({ rate, steps, power = 1, minimum = 0 }: PolynomialOptions): Schedule {
  checkSteps('polynomial', 'steps', steps);
  return step => minimum + (rate - minimum) * (1 - Math.min(step, steps) / steps) ** power;
}

/** Linear rise to `rate` at the `warmup`-th update, then rate·√(warmup/n) at the n-th, n = t + 1 (fairseq's inverse_sqrt). */
export function inverseSquareRoot({ rate, warmup }: { rate: number; warmup: number }): Schedule {
  checkSteps('inverseSquareRoot', 'warmup', warmup);
  return step => rate * Math.min((step + 1) / warmup, Math.sqrt(warmup / (step + 1)));
}

/**
 * factor·size^−½·min(n^−½, n·warmup^−³ᐟ²), n = t + 1.
 *
 * Vaswani et al. 2017, arXiv:1706.03762, eq. 3: `size` is d_model, `warmup` warmup_steps.
 */
export function noam({
  size,
  warmup,
  factor = 1,
}: {
  size: number;
  warmup: number;
  factor?: number | undefined;
}): Schedule {
  checkSteps('noam', 'size', size);
  checkSteps('noam', 'warmup', warmup);
  return step => factor * size ** -0.5 * Math.min((step + 1) ** -0.5, (step + 1) * warmup ** -1.5);
}

/** Options of `oneCycle`. */
export interface OneCycleOptions {
  readonly peak: number;
  /** Length of the cycle. Afterwards the value stays at `final`. */
  readonly steps: number;
  /** Fraction of the steps that rise. Default 0.3. */
  readonly riseFraction?: number | undefined;
  /** Default peak / 25. */
  readonly initial?: number | undefined;
  /** Default initial / 10,000. */
  readonly final?: number | undefined;
  /** Default 'cosine'. */
  readonly shape?: 'cosine' | 'linear' | undefined;
  /** Fall to `initial` as slowly as it rose, and only then to `final`. Default false. */
  readonly threePhases?: boolean | undefined;
}

/**
 * One cycle: `initial` → `peak` → `final`.
 *
 * Smith and Topin 2018, "Super-convergence", arXiv:1708.07120. For a momentum that runs against the learning rate take a
 * second cycle with its own values: `oneCycle({ initial: 0.95, peak: 0.85, final: 0.95, … })`.
 */
export function oneCycle({
  peak,
  steps,
  riseFraction = 0.3,
  initial = peak / 25,
  final = initial / 1e4,
  shape = 'cosine',
  threePhases = false,
}: OneCycleOptions): Schedule {
  checkNumber('oneCycle', 'peak', peak);
  checkNumber('oneCycle', 'initial', initial);
  checkNumber('oneCycle', 'final', final);
  checkNumber('oneCycle', 'steps', steps, { min: 2, integer: true });
  checkNumber('oneCycle', 'riseFraction', riseFraction, { above: 0, max: threePhases ? 0.5 : 1 });
  // Turning points as PyTorch counts them: the last step of a phase is the first of the next.
  const rise = riseFraction * steps - 1;
  const phases = threePhases
    ? [
        { end: rise, from: initial, to: peak },
        { end: 2 * rise, from: peak, to: initial },
        { end: steps - 1, from: initial, to: final },
      ]
    : [
        { end: rise, from: initial, to: peak },
        { end: steps - 1, from: peak, to: final },
      ];
  return step => {
    let start = 0;
    for (const { end, from, to } of phases) {
      if (step <= end) {
        // A phase of no length has only its end.
        const fraction = end > start ? (step - start) / (end - start) : 1;
        return shape === 'cosine' ? cosineBetween(from, to, fraction) : from + (to - from) * fraction;
      }
      start = end;
    }
    return final;
  };
}

/** Options of `cyclic`. */
export interface CyclicOptions {
  readonly low: number;
  readonly high: number;
  /** Steps from low to high. */
  readonly rise: number;
  /** Steps back. Default: as many. */
  readonly fall?: number | undefined;
  /** Halve the height with every cycle ("triangular2"). Default false. */
  readonly halve?: boolean | undefined;
}

/** A line up and a line down, again and again. Smith 2017, arXiv:1506.01186. */
export function cyclic({ low, high, rise, fall = rise, halve = false }: CyclicOptions): Schedule {
  checkSteps('cyclic', 'rise', rise);
  checkSteps('cyclic', 'fall', fall);
  return step => {
    const position = step % (rise + fall);
    const height = position <= rise ? position / rise : (rise + fall - position) / fall;
    const cycle = Math.floor(step / (rise + fall));
    return low + (high - low) * height * (halve ? 0.5 ** cycle : 1);
  };
}

/** Options of `warmup`. */
export interface WarmupOptions {
  /** 1 (the default) never wastes a step on rate 0, as nanoGPT; 0 begins at 0, as Hugging Face's schedules. */
  readonly offset?: 0 | 1 | undefined;
}

/**
 * A linear rise to `then(0)`, then `then` from its step 0 on: then(0)·(t + offset)/(steps + offset) while t < steps.
 * `warmup(100, cosine({ rate: 1e-3, steps: 900 }))`.
 */
export function warmup(steps: number, then: Schedule, { offset = 1 }: WarmupOptions = {}): Schedule {
  checkNumber('warmup', 'steps', steps, { min: 0, integer: true });
  return step => (step < steps ? (then(0) * (step + offset)) / (steps + offset) : then(step - steps));
}
