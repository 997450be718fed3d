import { ArgumentError, checkChoice, checkNumber, FormatError } from '@ostinato/core';
import type { Json } from './checkpoint.ts';
import { fromJsonNumber, toJsonNumber } from './json-number.ts';
import type { Plateau, PlateauState } from './plateau.ts';

/** When to stop before the last step. */
export interface EarlyStopping {
  /** Name of one of the validation's metrics. */
  readonly metric: string;
  /** Validations without improvement after which to stop. */
  readonly patience: number;
  /** Whether the metric should fall or rise. Default 'min'. */
  readonly mode?: 'min' | 'max' | undefined;
  /** Smaller improvements do not count. Default 0. */
  readonly minDelta?: number | undefined;
}

/** A learning rate that reacts to a metric: give `schedule.schedule` to the optimizer and this to `fit`. */
export interface PlateauObserver {
  readonly schedule: Plateau;
  /** Name of one of the validation's metrics. */
  readonly metric: string;
}

/** What the metrics of validations lead to; its state is part of a checkpoint. */
export class Progress {
  readonly #early: EarlyStopping | undefined;
  readonly #plateau: PlateauObserver | undefined;
  #best: number | null = null;
  #badValidations = 0;
  /** Whether the step that was taken last is still to be validated. */
  due = false;

  constructor(early: EarlyStopping | undefined, plateau: PlateauObserver | undefined) {
    if (early) {
      checkNumber('fit', 'earlyStopping.patience', early.patience, { integer: true, min: 1 });
      checkNumber('fit', 'earlyStopping.minDelta', early.minDelta ?? 0, { min: 0 });
      checkChoice('fit', 'earlyStopping.mode', early.mode ?? 'min', ['min', 'max']);
    }
    this.#early = early;
    this.#plateau = plateau;
  }

  /** Takes note of a validation: whether it is the best so far (null without early stopping), and whether to stop. */
  observe(metrics: Readonly<Record<string, number>>): { best: boolean | null; stop: boolean } {
    if (this.#plateau) this.#plateau.schedule.observe(pick(metrics, this.#plateau.metric));
    if (!this.#early) return { best: null, stop: false };
    const { metric, patience, mode = 'min', minDelta = 0 } = this.#early;
    const value = pick(metrics, metric);
    const gain = this.#best === null ? Infinity : mode === 'min' ? this.#best - value : value - this.#best;
    const best = !Number.isNaN(value) && gain > minDelta;
    if (best) this.#best = value;
    this.#badValidations = best ? 0 : this.#badValidations + 1;
    return { best, stop: this.#badValidations >= patience };
  }

  /** As plain JSON data. */
  state(): Json {
    const plateau = this.#plateau ? (this.#plateau.schedule.state() as unknown as Json) : null;
    return { best: toJsonNumber(this.#best), badValidations: this.#badValidations, plateau, due: this.due };
  }

  /** Goes on from `state`; null is nothing yet. Throws FormatError, before it changes, when it is no such state. */
  restore(state: Json): void {
    const {
      best: saved = null,
      badValidations,
      plateau = null,
      due = false,
    } = (state ?? { badValidations: 0 }) as Record<string, Json>;
    const best = fromJsonNumber(saved);
    if (best === undefined || !Number.isSafeInteger(badValidations)) {
      throw new FormatError({
        where: 'fit',
        rule: 'progress must be { best, badValidations, plateau }',
        got: JSON.stringify(state),
      });
    }
    if (this.#plateau && plateau !== null) this.#plateau.schedule.restore(plateau as unknown as PlateauState);
    this.#best = best;
    this.#badValidations = badValidations as number;
    this.due = due === true;
  }
}

function pick(metrics: Readonly<Record<string, number>>, name: string): number {
  const value = metrics[name];
  if (value !== undefined) return value;
  const expected = Object.keys(metrics).join(' | ');
  throw new ArgumentError({ where: 'fit', rule: 'the metric must be one of the validation', expected, got: name });
}
