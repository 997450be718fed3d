import { isOstinatoError } from '@ostinato/core';
import { parseTune } from './parse.ts';
import { readTune, type Tune } from './tune.ts';

/** One thing that is wrong with a tune. */
export interface TuneProblem {
  /**
   * `syntax`: abcjs could not read something. `structure`: the tune lacks `X:`, `K:` or notes, or is more than one. `bar`: a bar
   * does not add up to its meter, which leaves the tune valid.
   */
  readonly kind: 'syntax' | 'structure' | 'bar';
  readonly message: string;
  /** 1 for the first line of the tune's ABC. */
  readonly line?: number | undefined;
}

/** What `validateTune` finds. */
export interface TuneReport {
  /** True when there is no problem of kind `syntax` or `structure`. */
  readonly valid: boolean;
  readonly problems: readonly TuneProblem[];
}

const meterWords = (wholeNotes: number): string => `${Number((wholeNotes * 8).toFixed(3))}/8`;

/**
 * Checks one tune: it must have an `X:` and a `K:` field and at least one note, be one tune, and parse in abcjs without an
 * error or a warning. Bars that do not add up are reported too, and do not make it invalid: printed collections have them.
 */
export function validateTune(source: Tune | string): TuneReport {
  const tune = typeof source === 'string' ? readTune(source) : source;
  const problems: TuneProblem[] = [];
  for (const letter of ['X', 'K']) {
    if (!tune.fields.has(letter)) problems.push({ kind: 'structure', message: `There is no ${letter}: field.` });
  }
  if (/\n\n|\nX:/.test(tune.abc)) {
    problems.push({
      kind: 'structure',
      message: 'A blank line or a second X: field ends the tune before its text does.',
    });
  }
  try {
    const { noteCount, warnings, bars } = parseTune(tune);
    if (noteCount === 0) problems.push({ kind: 'structure', message: 'There are no notes.' });
    for (const { message, line } of warnings) {
      problems.push({ kind: 'syntax', message, ...(line === undefined ? {} : { line }) });
    }
    for (const { fit, number, voice, duration, expected, line } of bars) {
      if (fit === 'full' || fit === 'partial') continue;
      const where = voice === 0 ? `Bar ${number}` : `Bar ${number} of voice ${voice + 1}`;
      const message = `${where} is ${fit}: ${meterWords(duration)} where the meter has ${meterWords(expected!)}.`;
      problems.push({ kind: 'bar', message, line });
    }
  } catch (error) {
    if (!isOstinatoError(error)) throw error;
    problems.push({ kind: 'syntax', message: error.message });
  }
  return { valid: problems.every(({ kind }) => kind === 'bar'), problems };
}
