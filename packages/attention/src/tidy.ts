import * as tf from '@tensorflow/tfjs-core';

/** `tf.tidy` for results that hold a `State`: nested readonly arrays and objects, which its own type leaves out. */
export function tidy<Result>(body: () => Result): Result {
  return tf.tidy(body as () => tf.TensorContainer) as Result;
}
