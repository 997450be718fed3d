/**
 * Errors of every `@ostinato/*` package. The message reads `Where: rule, expected …, got …. What to do.`; the parts are
 * also fields, for programs that react to them.
 */

const marker: symbol = Symbol.for('ostinato.error');

/** The parts of an error: where it happened, the rule that was broken, what was expected and what came, what to do. */
export interface ErrorParts {
  /** Function or method, e.g. `LSTM.call`. */
  readonly where: string;
  /** The rule, e.g. `input must be [batch, time, inputSize]`. */
  readonly rule: string;
  /** What was expected, in numbers. */
  readonly expected?: string | undefined;
  /** What came instead. */
  readonly got?: string | undefined;
  /** What the caller can do. */
  readonly advice?: string | undefined;
  /** Path of the module from the model's root, e.g. `decoder.layers.3`. */
  readonly path?: string | undefined;
  readonly cause?: unknown;
}

function sentence({ where, rule, expected, got, advice, path }: ErrorParts): string {
  const facts = [rule, expected === undefined ? '' : `expected ${expected}`, got === undefined ? '' : `got ${got}`];
  const place = path === undefined || path === '' ? where : `${path} (${where})`;
  return `${place}: ${facts.filter(Boolean).join(', ')}.${advice === undefined ? '' : ` ${advice}`}`;
}

/** What went wrong, for programs that react to it: a kind is the same text in every copy and every bundle of a package. */
export type ErrorKind =
  | 'OstinatoError'
  | 'ArgumentError'
  | 'ShapeError'
  | 'FormatError'
  | 'NonFiniteError'
  | 'ResourceError'
  | 'TokenizerError';

/** Base of all errors of Ostinato. `isOstinatoError` recognises it across duplicated packages. */
export class OstinatoError extends Error {
  // Names and kinds are written out, since a minifier shortens the names of classes.
  override readonly name: string = 'OstinatoError';
  readonly kind: ErrorKind = 'OstinatoError';
  readonly parts: ErrorParts;

  constructor(parts: ErrorParts) {
    super(sentence(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.parts = parts;
    Object.defineProperty(this, marker, { value: true });
  }
}

/** An argument or option lies outside what is allowed. */
export class ArgumentError extends OstinatoError {
  override readonly name: string = 'ArgumentError';
  override readonly kind: ErrorKind = 'ArgumentError';
}

/** A tensor has the wrong shape or dtype. */
export class ShapeError extends OstinatoError {
  override readonly name: string = 'ShapeError';
  override readonly kind: ErrorKind = 'ShapeError';
}

/** A file or a saved object is damaged, or of another format. */
export class FormatError extends OstinatoError {
  override readonly name: string = 'FormatError';
  override readonly kind: ErrorKind = 'FormatError';
}

/** A loss, gradient or parameter is NaN or infinite. */
export class NonFiniteError extends OstinatoError {
  override readonly name: string = 'NonFiniteError';
  override readonly kind: ErrorKind = 'NonFiniteError';
}

/** Something that is needed is missing or exhausted: an engine, a gradient, memory. */
export class ResourceError extends OstinatoError {
  override readonly name: string = 'ResourceError';
  override readonly kind: ErrorKind = 'ResourceError';
}

/**
 * Whether `error` is an `OstinatoError`, and of `kind` when one is given; also one from another copy of this package, where
 * `instanceof` says no.
 */
export function isOstinatoError(error: unknown, kind?: ErrorKind): error is OstinatoError {
  const isMarked = typeof error === 'object' && error !== null && marker in error;
  return isMarked && (kind === undefined || (error as OstinatoError).kind === kind);
}

/**
 * Runs `body`; an `OstinatoError` from it goes on with `segment` put before its path, so that the message names the
 * place from the model's root (`layers.3.attention`).
 */
export function atPath<Result>(segment: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (!isOstinatoError(error)) throw error;
    // In place: a subclass may be made from other arguments than the parts.
    const { message } = error;
    const path = error.parts.path ? `${segment}.${error.parts.path}` : segment;
    (error as { parts: ErrorParts }).parts = { ...error.parts, path };
    error.message = sentence(error.parts);
    if (error.stack !== undefined) error.stack = error.stack.replace(message, () => error.message);
    throw error;
  }
}
