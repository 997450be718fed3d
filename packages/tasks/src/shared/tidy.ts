import * as tf from '@tensorflow/tfjs-core';

/** `tf.tidy` for results with a state in them, whose type it does not know. */
export function tidyState<Result>(body: () => Result): Result {
  return tf.tidy(body as unknown as () => tf.TensorContainer) as unknown as Result;
}
