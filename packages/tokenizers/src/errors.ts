// The class of @ostinato/core in small: this package depends on nothing, and `isOstinatoError` of core knows the marker.
const marker: symbol = Symbol.for('ostinato.error');

/** The parts of a `TokenizerError`: where, the rule that was broken, what was expected and what came, what to do. */
export interface TokenizerErrorParts {
  /** Function or method, e.g. `CharacterTokenizer.encode`. */
  readonly where: string;
  readonly rule: string;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  /** What the caller can do. */
  readonly advice?: string | undefined;
  /** What was being read, e.g. a file. */
  readonly path?: string | undefined;
  readonly cause?: unknown;
}

/**
 * Every error of this package. The message reads `Where: rule, expected …, got …. What to do.`; the parts are fields too.
 * Carries the marker `Symbol.for('ostinato.error')` as every error of Ostinato does.
 */
export class TokenizerError extends Error {
  override readonly name: string = 'TokenizerError';
  /** For `isOstinatoError(error, 'TokenizerError')` of core. */
  readonly kind: 'TokenizerError' = 'TokenizerError';
  readonly parts: TokenizerErrorParts;

  constructor(parts: TokenizerErrorParts) {
    const { where, rule, expected, got, advice, path, cause } = parts;
    const facts = [rule, expected === undefined ? '' : `expected ${expected}`, got === undefined ? '' : `got ${got}`];
    const sentence = `${path === undefined ? where : `${path} (${where})`}: ${facts.filter(Boolean).join(', ')}.`;
    super(advice === undefined ? sentence : `${sentence} ${advice}`, cause === undefined ? undefined : { cause });
    this.parts = parts;
    Object.defineProperty(this, marker, { value: true });
  }
}

/** A value as an error message shows it: JSON, at most 60 characters. */
export function show(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** @throws TokenizerError unless `value` is an integer of at least `minimum`; Infinity passes where `unlimited` */
export function checkInteger(
  where: string,
  name: string,
  value: number,
  { minimum, unlimited = false }: { readonly minimum: number; readonly unlimited?: boolean },
): void {
  if ((Number.isSafeInteger(value) && value >= minimum) || (unlimited && value === Infinity)) return;
  throw new TokenizerError({ where, rule: `${name} must be an integer ≥ ${minimum}`, got: show(value) });
}

/** @throws TokenizerError listing the choices unless `value` is one of them */
export function checkChoice<Choice extends string>(
  where: string,
  name: string,
  value: unknown,
  choices: readonly Choice[],
): asserts value is Choice {
  if ((choices as readonly unknown[]).includes(value)) return;
  throw new TokenizerError({
    where,
    rule: `unknown ${name}`,
    expected: choices.map(choice => `'${choice}'`).join(' | '),
    got: show(value),
  });
}
