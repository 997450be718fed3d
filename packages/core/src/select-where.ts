import * as tf from '@tensorflow/tfjs-core';

/**
 * `whenTrue` where `mask` is true, `whenFalse` elsewhere, and so backward: a gradient reaches only the side that was taken.
 *
 * `tf.where` multiplies the gradient by the mask instead, so that a NaN or infinite one reaches the other side as NaN: from a norm
 * of outputs that are zero in the padding, say.
 *
 * @param mask bool, of the others' shape or broadcast to it
 * @param whenTrue float32, any shape
 * @param whenFalse float32, of the same shape
 */
export function selectWhere(mask: tf.Tensor, whenTrue: tf.Tensor, whenFalse: tf.Tensor): tf.Tensor {
  const select = tf.customGrad((...args: unknown[]) => {
    const [chosen, a, b, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    save([chosen]);
    return {
      value: tf.where(chosen, a, b),
      gradFunc: (dOutput: tf.Tensor, [saved]: tf.Tensor[]) => {
        const zeros = tf.zerosLike(dOutput);
        return [tf.zeros(saved!.shape), tf.where(saved!, dOutput, zeros), tf.where(saved!, zeros, dOutput)];
      },
    };
  });
  return select(mask, whenTrue, whenFalse);
}
