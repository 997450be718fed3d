import * as ours from '@ostinato/core';
import { TokenizerError } from '@ostinato/tokenizers';
import { expect, it, vi } from 'vitest';

vi.resetModules();
/** What an application has when two of its packages ask for different versions of core. */
const theirs = await import('@ostinato/core');

it('finds the parameters of modules from another copy of core', () => {
  expect(theirs.Module).not.toBe(ours.Module);
  class Model extends ours.Module {
    readonly layers = [new theirs.Linear({ inputSize: 2, outputSize: 3 })];
  }
  const model = new Model();
  expect([...ours.parameters(model).keys()]).toEqual(['layers.0.weight', 'layers.0.bias']);
  expect([...theirs.parameters(model).keys()]).toEqual(['layers.0.weight', 'layers.0.bias']);
  model.dispose();
});

it.each([
  ['of another copy of core', () => new theirs.FormatError({ where: 'read', rule: 'the file must be whole' })],
  ['of tokenizers', () => new TokenizerError({ where: 'read', rule: 'the file must be whole' })],
])('knows the errors %s, and puts a path before them', (_, make) => {
  const fail = (): never => {
    throw make();
  };
  expect(ours.isOstinatoError(make())).toBe(true);
  expect(() => ours.atPath('model.safetensors', fail)).toThrow('model.safetensors (read): the file must be whole.');
  expect(() => ours.atPath('model.safetensors', fail)).toThrow(make().constructor as new () => Error);
});
