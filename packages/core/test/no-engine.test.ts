import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { Linear, ResourceError } from '../src/index.ts';

it('a layer without an engine says how to start one', () => {
  for (const name of tf.engine().backendNames()) tf.removeBackend(name);
  const make = (): Linear => new Linear({ inputSize: 2, outputSize: 3 });
  expect(make).toThrow(ResourceError);
  expect(make).toThrow(/an engine must be started .* `await start\(\)`/);
});
