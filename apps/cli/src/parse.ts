import { InvalidArgumentError } from 'commander';

/** Bounds of a number option. */
interface Bounds {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

function check(text: string, kind: string, value: number, { min, max, above, below }: Bounds): number {
  const fits =
    text.trim() !== '' &&
    Number.isFinite(value) &&
    value >= (min ?? -Infinity) &&
    value <= (max ?? Infinity) &&
    value > (above ?? -Infinity) &&
    value < (below ?? Infinity);
  if (fits) return value;
  const bounds = [
    min === undefined ? '' : `at least ${min}`,
    above === undefined ? '' : `above ${above}`,
    max === undefined ? '' : `at most ${max}`,
    below === undefined ? '' : `below ${below}`,
  ].filter(Boolean);
  // `a number above 0, at most 1`
  throw new InvalidArgumentError(`It must be ${[kind, bounds.join(', ')].join(' ').trim()}.`);
}

/** A parser for an option that is an integer inside `bounds`. */
export function integer(bounds: Bounds = {}): (text: string) => number {
  return text => {
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be an integer.');
    return check(text, 'an integer', value, bounds);
  };
}

/** A parser for an option that is a number inside `bounds`. */
export function decimal(bounds: Bounds = {}): (text: string) => number {
  return text => check(text, 'a number', Number(text), bounds);
}

/** A parser for text in which a shell cannot write line breaks: `\n`, `\t` and `\\` stand for them. */
export function escapedText(text: string): string {
  const meaning: Record<string, string> = { n: '\n', t: '\t', '\\': '\\' };
  return text.replace(/\\([nt\\])/g, (_, letter: string) => meaning[letter]!);
}
