import { ResourceError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { disposeAll } from './dispose.ts';

/** Compares what is alive now with what was; throws when there is more or less. */
function compare(before: tf.MemoryInfo): void {
  const after = tf.memory();
  if (after.numTensors === before.numTensors && after.numBytes === before.numBytes) return;
  throw new ResourceError({
    where: 'expectNoLeak',
    rule: 'the number of tensors and bytes must be what it was',
    expected: `${before.numTensors} tensors, ${before.numBytes} bytes`,
    got: `${after.numTensors} tensors, ${after.numBytes} bytes`,
    advice: 'Wrap the function in tf.tidy, or dispose what it does not return.',
  });
}

/**
 * Runs `body`, disposes every tensor it returns (in plain objects, arrays, Maps and modules), and checks that as many tensors and
 * bytes are alive as before. Works for functions that return a promise too.
 *
 * @throws ResourceError when there are more, or fewer: something was disposed that `body` did not make
 */
export function expectNoLeak(body: () => Promise<unknown>): Promise<void>;
export function expectNoLeak(body: () => unknown): void;
export function expectNoLeak(body: () => unknown): Promise<void> | undefined {
  const before = tf.memory();
  const result = body();
  if (result instanceof Promise) {
    return result.then(value => {
      disposeAll(value);
      compare(before);
    });
  }
  disposeAll(result);
  compare(before);
  return undefined;
}
