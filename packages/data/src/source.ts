import { ArgumentError, checkNumber, FormatError } from '@ostinato/core';

/**
 * Something whose progress can be saved and taken up again.
 *
 * `restore(state())`, also in another process and after `JSON.stringify`, continues exactly as the original would have.
 */
export interface Resumable<State> {
  /** Plain JSON data. */
  state(): State;
  /** @throws FormatError when `state` is damaged or of other data; nothing has changed then */
  restore(state: State): void;
}

/**
 * Batches, one after another.
 *
 * A loop over a source runs to the end of an epoch; the next loop is the next epoch. Leaving a loop early closes nothing:
 * the next loop goes on after the last batch that was taken.
 */
export interface BatchSource<Batch, State> extends Resumable<State>, IterableIterator<Batch, undefined> {
  /** Infinity for a source without epochs. */
  readonly batchesPerEpoch: number;
  next(): IteratorResult<Batch, undefined>;
}

/** Token ids, as tokenizers return them or in fewer bytes. */
export type TokenArray = Int32Array | Uint32Array | Uint16Array | Uint8Array;

/** Windows of tokens and, for every step, the token that follows. `tf.tensor2d(inputs, shape, 'int32')` makes a tensor. */
export interface WindowBatch {
  /** int32 [batch, time], row-major. */
  readonly inputs: Int32Array;
  /** int32 [batch, time]: the inputs one step later. */
  readonly targets: Int32Array;
  readonly shape: [batch: number, time: number];
}

/** The windows of `time` tokens that start at `starts`, with their targets. */
export function gatherWindows(tokens: TokenArray, starts: ArrayLike<number>, time: number): WindowBatch {
  const inputs = new Int32Array(starts.length * time); // [B, T]
  const targets = new Int32Array(starts.length * time);
  for (let row = 0; row < starts.length; row++) {
    const start = starts[row]!;
    inputs.set(tokens.subarray(start, start + time), row * time);
    targets.set(tokens.subarray(start + 1, start + 1 + time), row * time);
  }
  return { inputs, targets, shape: [starts.length, time] };
}

/** Checks the sizes that every source of windows has. */
export function checkWindows(
  where: string,
  tokens: TokenArray,
  sizes: { batchSize: number; windowLength: number },
): void {
  const kind = Object.prototype.toString.call(tokens).slice(8, -1);
  if (!/^(Int32|Uint32|Uint16|Uint8)Array$/.test(kind)) {
    const expected = 'Int32Array | Uint32Array | Uint16Array | Uint8Array';
    throw new ArgumentError({ where, rule: 'tokens must be a typed array of ids', expected, got: kind });
  }
  checkNumber(where, 'batchSize', sizes.batchSize, { integer: true, min: 1 });
  checkNumber(where, 'windowLength', sizes.windowLength, { integer: true, min: 1 });
}

/** @throws ArgumentError when there are fewer tokens than `needed`, saying how `needed` comes about */
export function checkEnough(where: string, tokens: TokenArray, needed: number, because: string): void {
  if (tokens.length >= needed) return;
  throw new ArgumentError({
    where,
    rule: 'too few tokens',
    expected: `at least ${needed} (${because})`,
    got: String(tokens.length),
    advice: 'Use more text or smaller sizes.',
  });
}

/**
 * Checks a state that comes from outside: every field of `limits` must be an integer in 0 … limit, or exactly the limit
 * where it describes the data (`exact`); there may be no other field.
 */
export function checkState(
  where: string,
  state: unknown,
  limits: Readonly<Record<string, number>>,
  exact: Readonly<Record<string, number | null>>,
): void {
  const fail = (rule: string, expected: string, got: unknown, advice?: string): never => {
    throw new FormatError({
      where,
      rule,
      expected,
      got: JSON.stringify(got) ?? String(got),
      ...(advice ? { advice } : {}),
    });
  };
  const names = [...Object.keys(limits), ...Object.keys(exact)];
  const fields = state as Record<string, unknown>;
  if (typeof state !== 'object' || state === null || Array.isArray(state)) {
    fail('the state must be an object', `{ ${names.join(', ')} }`, state);
  }
  const extra = Object.keys(fields).find(field => !names.includes(field));
  if (extra !== undefined) fail('unknown field in the state', names.join(', '), extra);
  for (const [field, limit] of Object.entries(limits)) {
    const value = fields[field];
    const fits = Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= limit;
    if (!fits) fail(`state.${field}`, `an integer in 0 … ${limit}`, value);
  }
  for (const [field, value] of Object.entries(exact)) {
    if (fields[field] !== value) {
      fail(`state.${field}`, String(value), fields[field], 'The state was saved with other data or other sizes.');
    }
  }
}
