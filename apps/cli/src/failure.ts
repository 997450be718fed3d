import { ArgumentError, isOstinatoError } from '@ostinato/core';

/** Exit codes of every command: 0 done, 1 failure, 2 bad input (options, files, text, checkpoints). */
export const exitCodes = { done: 0, failure: 1, badInput: 2 } as const;

/** Bad input: what the user gave, why it will not do. Printed as it is, without a stack. */
export function badInput(where: string, rule: string, got?: string, advice?: string): ArgumentError {
  return new ArgumentError({
    where,
    rule,
    ...(got === undefined ? {} : { got }),
    ...(advice === undefined ? {} : { advice }),
  });
}

/** The exit code and the one message for whatever a command threw. */
export function explain(error: unknown): { code: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  // By kind rather than class: there may be more than one copy of a package.
  const kinds = ['ArgumentError', 'FormatError', 'ShapeError', 'TokenizerError'] as const;
  if (kinds.some(kind => isOstinatoError(error, kind))) return { code: exitCodes.badInput, message };
  if (isOstinatoError(error)) return { code: exitCodes.failure, message };
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof code === 'string' && typeof path === 'string') return { code: exitCodes.failure, message };
  return { code: exitCodes.failure, message: `${message} (run again with --verbose for the stack)` };
}
