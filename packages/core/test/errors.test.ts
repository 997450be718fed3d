import { expect, it } from 'vitest';
import {
  ArgumentError,
  atPath,
  FormatError,
  isOstinatoError,
  NonFiniteError,
  OstinatoError,
  ResourceError,
  ShapeError,
} from '../src/index.ts';

const parts = { where: 'LSTM.call', rule: 'input must be [batch, time, inputSize]' };

it('makes one sentence of the parts, and keeps them as fields', () => {
  expect(new ShapeError({ ...parts, expected: '[?, ?, 3]', got: '[4, 5, 6]' }).message).toBe(
    'LSTM.call: input must be [batch, time, inputSize], expected [?, ?, 3], got [4, 5, 6].',
  );
  expect(new ArgumentError({ ...parts, advice: 'Reshape it.' }).message).toBe(
    'LSTM.call: input must be [batch, time, inputSize]. Reshape it.',
  );
  const error = new ShapeError({ ...parts, got: '[4]', path: 'decoder' });
  expect(error.message).toBe('decoder (LSTM.call): input must be [batch, time, inputSize], got [4].');
  expect(error.parts).toEqual({ ...parts, got: '[4]', path: 'decoder' });
});

it.each([ArgumentError, ShapeError, FormatError, NonFiniteError, ResourceError])('%s is named and marked', Kind => {
  const cause = new Error('before');
  const error = new Kind({ ...parts, cause });
  expect(error).toBeInstanceOf(OstinatoError);
  expect(error.name).toBe(Kind.name);
  expect(error.cause).toBe(cause);
  expect(isOstinatoError(error)).toBe(true);
});

it.each([ArgumentError, ShapeError, FormatError, NonFiniteError, ResourceError])(
  '%s keeps its name and kind when a bundler renames the class',
  Kind => {
    const i = class i extends Kind {};
    const error = new i(parts);
    expect(error.name).toBe(Kind.name);
    expect(error.kind).toBe(Kind.name);
  },
);

it('tells the kinds of errors of another copy apart', () => {
  const other = { [Symbol.for('ostinato.error')]: true, kind: 'ShapeError' };
  expect(isOstinatoError(other, 'ShapeError')).toBe(true);
  expect(isOstinatoError(other, 'ArgumentError')).toBe(false);
  expect(isOstinatoError({ kind: 'ShapeError' }, 'ShapeError')).toBe(false);
});

it('recognises errors of another copy of the package by their marker, and nothing else', () => {
  expect(isOstinatoError({ [Symbol.for('ostinato.error')]: true })).toBe(true);
  for (const other of [new Error('x'), null, undefined, 'x', {}]) expect(isOstinatoError(other)).toBe(false);
});

it('puts the path together from the inside out', () => {
  const cause = new Error('before');
  const failing = (): never =>
    atPath('decoder', () =>
      atPath('layers.3', () => {
        throw new ShapeError({ ...parts, got: '[4]', cause });
      }),
    );
  let caught: unknown;
  try {
    failing();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(ShapeError);
  const error = caught as ShapeError;
  expect(error.parts.path).toBe('decoder.layers.3');
  expect(error.message).toBe('decoder.layers.3 (LSTM.call): input must be [batch, time, inputSize], got [4].');
  expect(error.stack).toContain(error.message);
  expect(error.cause).toBe(cause);
});

it('lets results and other errors through', () => {
  expect(atPath('decoder', () => 7)).toBe(7);
  const other = new TypeError('other');
  expect(() =>
    atPath('decoder', () => {
      throw other;
    }),
  ).toThrow(other);
});

it('puts the path on errors of a subclass that is made from other arguments', () => {
  class TooLong extends ShapeError {
    readonly time: number;

    constructor(time: number) {
      super({ ...parts, got: `${time} steps` });
      this.time = time;
    }
  }
  const error = new TooLong(9);
  expect(() =>
    atPath('decoder', () => {
      throw error;
    }),
  ).toThrow(error);
  expect(error.message).toBe('decoder (LSTM.call): input must be [batch, time, inputSize], got 9 steps.');
  expect(error.stack).toContain(error.message);
  expect(error.time).toBe(9);
});
