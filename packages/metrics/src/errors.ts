// As in @ostinato/tokenizers: this package depends on nothing, and `isOstinatoError` of core knows the marker and the kind.
const marker: symbol = Symbol.for('ostinato.error');

/** The parts of a `MetricError`: where, the rule that was broken, what was expected and what came, what to do. */
export interface MetricErrorParts {
  /** Function, e.g. `corpusBleu`. */
  readonly where: string;
  readonly rule: string;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  /** What the caller can do. */
  readonly advice?: string | undefined;
}

/**
 * Every error of this package: an argument outside what is allowed. The message reads
 * `Where: rule, expected …, got …. What to do.`; the parts are fields too. `isOstinatoError(error, 'ArgumentError')` of core
 * knows it.
 */
export class MetricError extends Error {
  override readonly name: string = 'MetricError';
  readonly kind: 'ArgumentError' = 'ArgumentError';
  readonly parts: MetricErrorParts;

  constructor(parts: MetricErrorParts) {
    const { where, rule, expected, got, advice } = parts;
    const facts = [rule, expected === undefined ? '' : `expected ${expected}`, got === undefined ? '' : `got ${got}`];
    super(`${where}: ${facts.filter(Boolean).join(', ')}.${advice === undefined ? '' : ` ${advice}`}`);
    this.parts = parts;
    Object.defineProperty(this, marker, { value: true });
  }
}

/** A range for `checkNumber`. */
export interface NumberRange {
  readonly integer?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** The value must be greater than this. */
  readonly above?: number;
  /** The value must be less than this. */
  readonly below?: number;
}

/** @throws MetricError naming the option, its range and the value, unless that is a finite number inside `range` */
export function checkNumber(where: string, name: string, value: number, range: NumberRange = {}): void {
  const { integer = false, min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = range;
  const fits = Number.isFinite(value) && (!integer || Number.isInteger(value)) && value >= min && value <= max;
  if (fits && value > above && value < below) return;
  const bounds = [
    min > -Infinity ? `≥ ${min}` : '',
    above > -Infinity ? `> ${above}` : '',
    max < Infinity ? `≤ ${max}` : '',
    below < Infinity ? `< ${below}` : '',
  ].filter(Boolean);
  const kind = integer ? 'an integer' : 'a finite number';
  const isText = typeof (value as unknown) === 'string';
  const got = isText ? `the string ${JSON.stringify(value)}` : String(value);
  throw new MetricError({ where, rule: `${name} must be ${[kind, ...bounds].join(' ')}`, got });
}

/** @throws MetricError listing the choices unless `value` is one of them */
export function checkChoice<Choice extends string>(
  where: string,
  name: string,
  value: unknown,
  choices: readonly Choice[],
): asserts value is Choice {
  if ((choices as readonly unknown[]).includes(value)) return;
  const expected = choices.map(choice => `'${choice}'`).join(' | ');
  throw new MetricError({ where, rule: `unknown ${name}`, expected, got: JSON.stringify(value) ?? String(value) });
}

/** @throws MetricError unless both have the same length, of at least `least` */
export function checkPair(
  where: string,
  first: { readonly name: string; readonly values: ArrayLike<unknown> },
  second: { readonly name: string; readonly values: ArrayLike<unknown> },
  least = 1,
): void {
  if (first.values.length !== second.values.length) {
    throw new MetricError({
      where,
      rule: `${first.name} and ${second.name} must have the same length`,
      got: `${first.values.length} and ${second.values.length}`,
    });
  }
  if (first.values.length >= least) return;
  throw new MetricError({
    where,
    rule: `there must be at least ${least} of ${first.name}`,
    got: `${first.values.length}`,
  });
}
