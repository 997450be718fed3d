import {
  checkChoice,
  checkNumber,
  checkShape,
  type FusedOp,
  hasKernel,
  runFused,
  runKernel,
  ShapeError,
  selectWhere,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkDtype, checkIndices } from './check.ts';

/** Kernel contract of `softmaxCrossEntropy`. */
const softmaxCrossEntropyOp: FusedOp = {
  kernelName: 'OstinatoSoftmaxCrossEntropy',
  inputs: ['logits', 'labels', 'classWeights'],
  savedOutputs: [false, true],
  reserved: 1,
  gradient([dLosses], [logits, labels, classWeights, logSumExp], attributes) {
    const inputs = {
      logits: logits!,
      labels: labels!,
      classWeights: classWeights!,
      logSumExp: logSumExp!,
      dLosses: dLosses!,
    };
    const [dLogits] = runKernel('OstinatoSoftmaxCrossEntropyGrad', inputs, attributes);
    return { logits: dLogits! };
  },
};

/** Arguments of `softmaxCrossEntropy`. */
export interface SoftmaxCrossEntropyArguments {
  /** float32 [..., V]. */
  readonly logits: tf.Tensor;
  /** int32 [...]: the right class of each row. */
  readonly labels: tf.Tensor;
  /** w, float32 [V]; ones when absent. A constant: it gets no gradient. */
  readonly classWeights?: tf.Tensor | undefined;
}

/** How the losses of all rows become one number, or stay apart. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of `softmaxCrossEntropy`. */
export interface SoftmaxCrossEntropyOptions {
  /** ε, the share of the target spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Rows with this label count nothing and get no gradient. Default: none. */
  readonly ignoreIndex?: number | undefined;
  /** `'mean'` divides by Σ w_y over the rows that count, as PyTorch does; when no row counts, or there is none, the loss is 0. Default `'mean'`. */
  readonly reduction?: Reduction | undefined;
}

/**
 * Cross-entropy of integer labels under softmax(logits), in nats, without a one-hot tensor:
 *
 *     loss = −(1 − ε) w_y log p_y − (ε / V) Σ_c w_c log p_c        p = softmax(logits)
 *
 * Label smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7.
 *
 * @returns a float32 scalar, or float32 [...] of the labels' shape when the reduction is `'none'`
 * @throws ShapeError when shapes or dtypes do not fit; ArgumentError when a label is outside 0 … V−1 and not ignoreIndex. Labels
 * are read back for that on engines whose values lie in main memory; on a GPU they are trusted.
 */
export function softmaxCrossEntropy(
  { logits, labels, classWeights }: SoftmaxCrossEntropyArguments,
  { labelSmoothing = 0, ignoreIndex, reduction = 'mean' }: SoftmaxCrossEntropyOptions = {},
): tf.Tensor {
  const where = 'softmaxCrossEntropy';
  const classes = logits.shape.at(-1) ?? 0;
  const leading = logits.shape.slice(0, -1);
  if (logits.rank < 1 || classes < 1) {
    throw new ShapeError({ where, rule: 'logits must be [..., classes]', got: `[${logits.shape.join(', ')}]` });
  }
  checkDtype(where, 'logits', logits, 'float32');
  checkShape(where, 'labels', labels, Object.fromEntries(leading.map((size, i) => [`axis${i}`, size])), 'int32');
  if (classWeights) checkShape(where, 'classWeights', classWeights, { classes }, 'float32');
  checkNumber(where, 'labelSmoothing', labelSmoothing, { min: 0, max: 1 });
  checkChoice(where, 'reduction', reduction, ['mean', 'sum', 'none']);
  if (ignoreIndex !== undefined) checkNumber(where, 'ignoreIndex', ignoreIndex, { integer: true });
  checkIndices(where, 'labels', labels, { size: classes, except: ignoreIndex });
  return tf.tidy(() => {
    const rows = tf.reshape(logits, [-1, classes]); // [N, V]
    const targets = tf.reshape(labels, [-1]); // [N]
    const losses = hasKernel(softmaxCrossEntropyOp.kernelName)
      ? runFused(
          softmaxCrossEntropyOp,
          { logits: rows, labels: targets, classWeights },
          { labelSmoothing, ignoreIndex: ignoreIndex ?? null },
        )[0]!
      : reference(rows, targets, classWeights, labelSmoothing, ignoreIndex);
    if (reduction === 'none') return tf.reshape(losses, leading);
    const total = tf.sum(losses);
    if (reduction === 'sum') return total;
    if (!classWeights && ignoreIndex === undefined) return tf.div(total, Math.max(1, targets.size));
    const counts =
      ignoreIndex === undefined
        ? tf.ones([targets.size])
        : tf.cast(tf.notEqual(targets, tf.scalar(ignoreIndex, 'int32')), 'float32');
    const weights = classWeights ? tf.mul(counts, tf.gather(classWeights, insideRange(targets, classes))) : counts;
    const weight = tf.sum(weights);
    // The gradient of tf.divNoNan fails in tfjs 4.22.
    return tf.div(total, tf.where(tf.equal(weight, 0), tf.onesLike(weight), weight));
  });
}

/** Plain ops: the gather works on flat indices, so no tensor of the logits' size but the log-probabilities is made. */
function reference(
  logits: tf.Tensor,
  labels: tf.Tensor,
  classWeights: tf.Tensor | undefined,
  labelSmoothing: number,
  ignoreIndex: number | undefined,
): tf.Tensor {
  const [rows, classes] = logits.shape as [number, number];
  const ignored = ignoreIndex === undefined ? null : tf.equal(labels, tf.scalar(ignoreIndex, 'int32')); // [N]
  // Ignored rows become zero first, so that a NaN in them stays there.
  const clean = ignored ? selectWhere(tf.expandDims(ignored, 1), tf.zerosLike(logits), logits) : logits;
  const logProbabilities = tf.logSoftmax(clean); // [N, V]
  const safe = insideRange(labels, classes);
  const chosen = pick(logProbabilities, safe); // log p_y, [N]
  const hard = classWeights ? tf.mul(chosen, tf.gather(classWeights, safe)) : chosen;
  let losses = tf.mul(hard, labelSmoothing - 1);
  if (labelSmoothing > 0) {
    const weighted = classWeights ? tf.mul(logProbabilities, classWeights) : logProbabilities;
    losses = tf.sub(losses, tf.mul(tf.sum(weighted, 1), labelSmoothing / classes));
  }
  return ignored ? selectWhere(ignored, tf.zeros([rows]), losses) : losses;
}

/** table[i, columns[i]] for every row i, with a gradient that every backend can compute (a mask, not a scatter). */
function pick(table: tf.Tensor, columns: tf.Tensor): tf.Tensor {
  const [rows, classes] = table.shape as [number, number];
  const pickRows = tf.customGrad((...args: unknown[]) => {
    const [input, indices, save] = args as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    save([indices]);
    const flat = tf.add(tf.range(0, rows * classes, classes, 'int32'), indices);
    return {
      value: tf.gather(tf.reshape(input, [-1]), tf.cast(flat, 'int32') as tf.Tensor1D),
      gradFunc: (dPicked: tf.Tensor, [savedIndices]: tf.Tensor[]) => {
        const chosen = tf.equal(tf.range(0, classes, 1, 'int32'), tf.reshape(savedIndices!, [rows, 1])); // [N, V]
        return [tf.mul(tf.cast(chosen, 'float32'), tf.reshape(dPicked, [rows, 1])), tf.zerosLike(savedIndices!)];
      },
    };
  });
  return pickRows(table, columns);
}

/** Labels with those outside 0 … V−1 (ignored ones) replaced by the nearest class, so that they can index. */
function insideRange(labels: tf.Tensor, classes: number): tf.Tensor1D {
  return tf.cast(tf.clipByValue(labels, 0, classes - 1), 'int32') as tf.Tensor1D;
}
