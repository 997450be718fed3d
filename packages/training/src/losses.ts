import { checkChoice, checkNumber, checkShape, ShapeError } from '@ostinato/core';
import { checkLengths, softmaxCrossEntropy } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';

/** How the losses of single elements become one: their mean, their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options that every loss has. */
export interface LossOptions {
  /** Default 'mean'. */
  readonly reduction?: Reduction | undefined;
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends LossOptions {
  /** ε, 0 ≤ ε ≤ 1: part of the probability that is spread evenly over the classes. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** A label that counts for nothing; it may lie outside 0 … V−1. Default: none. */
  readonly ignoreIndex?: number | undefined;
}

/** What `crossEntropy` takes. */
export interface CrossEntropyArguments {
  /** float32 [..., V] */
  readonly logits: tf.Tensor;
  /** int32 [...] */
  readonly labels: tf.Tensor;
  /** float32 [V] */
  readonly classWeights?: tf.Tensor | undefined;
}

const reductions = ['mean', 'sum', 'none'] as const;

function reduce(where: string, losses: tf.Tensor, reduction: Reduction): tf.Tensor {
  checkChoice(where, 'reduction', reduction, reductions);
  return reduction === 'mean' ? tf.mean(losses) : reduction === 'sum' ? tf.sum(losses) : losses;
}

function checkSame(where: string, name: string, tensor: tf.Tensor, shape: readonly number[]): void {
  if (tf.util.arraysEqual(tensor.shape, [...shape])) return;
  throw new ShapeError({
    where,
    rule: `${name} must have the prediction's shape`,
    expected: `[${shape.join(', ')}]`,
    got: `[${tensor.shape.join(', ')}]`,
  });
}

/**
 * Softmax cross-entropy with integer labels, fused: no one-hot, no softmax is kept.
 *
 * With p = softmax(logits), w = classWeights (ones when absent), ε = labelSmoothing and y the label:
 * loss = −(1−ε) w_y log p_y − (ε/V) Σ_c w_c log p_c, and 0 where y = ignoreIndex. The mean divides by the sum of w_y over
 * the labels that count. Smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7; the equation is PyTorch's.
 *
 * @returns float32: a scalar, or of the labels' shape with reduction 'none'
 */
export function crossEntropy(
  { logits, labels, classWeights }: CrossEntropyArguments,
  { labelSmoothing = 0, ignoreIndex, reduction = 'mean' }: CrossEntropyOptions = {},
): tf.Tensor {
  return softmaxCrossEntropy({ logits, labels, classWeights }, { labelSmoothing, ignoreIndex, reduction });
}

/** Options of `sequenceCrossEntropy`. */
export interface SequenceCrossEntropyOptions {
  /** Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** A label that counts for nothing, besides padding. Default −1. */
  readonly ignoreIndex?: number | undefined;
  /**
   * 'tokens': the mean over all tokens, so that long sequences weigh more. 'sequences': the mean over sequences of each
   * one's mean. 'perSequence': float32 [B], each sequence's sum, −log p(sequence). Default 'tokens'.
   */
  readonly reduction?: 'tokens' | 'sequences' | 'perSequence' | undefined;
}

/** What `sequenceCrossEntropy` takes. */
export interface SequenceCrossEntropyArguments {
  /** float32 [B, T, V] */
  readonly logits: tf.Tensor;
  /** int32 [B, T]; anything at all from each row's length on */
  readonly labels: tf.Tensor;
  /** int32 [B]; a length of 0 contributes nothing */
  readonly lengths: tf.Tensor;
}

/**
 * Cross-entropy of sequences of different lengths, right-padded: only the first `lengths[b]` labels of row b count.
 *
 * @throws ShapeError when shapes do not fit; ArgumentError when a length is outside 0 … T (on a GPU they are trusted)
 */
export function sequenceCrossEntropy(
  { logits, labels, lengths }: SequenceCrossEntropyArguments,
  { labelSmoothing = 0, ignoreIndex = -1, reduction = 'tokens' }: SequenceCrossEntropyOptions = {},
): tf.Tensor {
  const where = 'sequenceCrossEntropy';
  checkChoice(where, 'reduction', reduction, ['tokens', 'sequences', 'perSequence']);
  checkShape(where, 'labels', labels, { batch: null, time: null }, 'int32');
  const [batch, time] = labels.shape as [number, number];
  checkShape(where, 'logits', logits, { batch, time, vocabulary: null }, 'float32');
  checkLengths(where, lengths, { batch, time });
  return tf.tidy(() => {
    const position = tf.range(0, time, 1, 'int32');
    const inside = tf.less(tf.expandDims(position, 0), tf.expandDims(lengths, 1)); // [B, T]
    const counted = tf.where(inside, labels, tf.fill([batch, time], ignoreIndex, 'int32'));
    const losses = softmaxCrossEntropy({ logits, labels: counted }, { labelSmoothing, ignoreIndex, reduction: 'none' }); // [B, T]
    const sums = tf.sum(losses, 1); // [B]
    if (reduction === 'perSequence') return sums;
    const counts = tf.sum(tf.cast(tf.notEqual(counted, tf.scalar(ignoreIndex, 'int32')), 'float32'), 1); // [B]
    if (reduction === 'tokens') return tf.div(tf.sum(sums), tf.maximum(tf.sum(counts), 1));
    const present = tf.sum(tf.cast(tf.greater(counts, 0), 'float32'));
    return tf.div(tf.sum(tf.div(sums, tf.maximum(counts, 1))), tf.maximum(present, 1));
  });
}

/** What losses between logits and distributions take: `targets` are probabilities over the last axis of `logits`. */
export interface DistributionArguments {
  /** float32 [..., V] */
  readonly logits: tf.Tensor;
  /** float32 [..., V] */
  readonly targets: tf.Tensor;
}

/** Cross-entropy against a distribution: −Σ_c t_c log softmax(logits)_c over the last axis. Reduced over the leading axes. */
export function softCrossEntropy(
  { logits, targets }: DistributionArguments,
  { reduction = 'mean' }: LossOptions = {},
): tf.Tensor {
  checkSame('softCrossEntropy', 'targets', targets, logits.shape);
  return tf.tidy(() =>
    reduce('softCrossEntropy', tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)), reduction),
  );
}

/**
 * Kullback-Leibler divergence KL(t ‖ softmax(logits)) = Σ_c t_c (log t_c − log p_c) over the last axis, 0·log 0 = 0. Reduced
 * over the leading axes; for [batch, V] the mean is PyTorch's 'batchmean'.
 */
export function klDivergence(
  { logits, targets }: DistributionArguments,
  { reduction = 'mean' }: LossOptions = {},
): tf.Tensor {
  checkSame('klDivergence', 'targets', targets, logits.shape);
  return tf.tidy(() => {
    // log of max(t, tiny): at t = 0 the product is 0, and its gradient finite.
    const logTargets = tf.log(tf.maximum(targets, 1e-37));
    const terms = tf.mul(targets, tf.sub(logTargets, tf.logSoftmax(logits)));
    return reduce('klDivergence', tf.sum(terms, -1), reduction);
  });
}

/** What `bceWithLogits` takes. */
export interface BceArguments {
  /** float32, any shape */
  readonly logits: tf.Tensor;
  /** float32 of the same shape, 0 … 1 */
  readonly targets: tf.Tensor;
  /** float32, broadcast against the logits: weight of the positive class. */
  readonly posWeight?: tf.Tensor | undefined;
}

/**
 * Binary cross-entropy of sigmoid(x): −w t log σ(x) − (1−t) log(1−σ(x)), with w = posWeight (1 when absent).
 *
 * Computed as w t softplus(−x) + (1−t) softplus(x): softplus does not overflow, and neither term is negative, so nothing cancels.
 * On engines whose softplus is log(1 + exp x) in float32 (GPUs), a loss below 1e-6 is off by up to 6e-8.
 */
export function bceWithLogits(
  { logits, targets, posWeight }: BceArguments,
  { reduction = 'mean' }: LossOptions = {},
): tf.Tensor {
  checkSame('bceWithLogits', 'targets', targets, logits.shape);
  return tf.tidy(() => {
    const positive = posWeight ? tf.mul(posWeight, targets) : targets;
    const losses = tf.add(
      tf.mul(positive, tf.softplus(tf.neg(logits))),
      tf.mul(tf.sub(1, targets), tf.softplus(logits)),
    );
    return reduce('bceWithLogits', losses, reduction);
  });
}

/** What losses between numbers take: two float32 tensors of one shape. */
export interface RegressionArguments {
  readonly prediction: tf.Tensor;
  readonly target: tf.Tensor;
}

/** Squared error (p − t)². */
export function mse({ prediction, target }: RegressionArguments, { reduction = 'mean' }: LossOptions = {}): tf.Tensor {
  checkSame('mse', 'target', target, prediction.shape);
  return tf.tidy(() => reduce('mse', tf.square(tf.sub(prediction, target)), reduction));
}

/** |x| with gradient 0 at 0; the gradient of tf.abs is −1 there. */
function magnitude(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.sign(x));
}

/** Absolute error |p − t|; its gradient is 0 where they are equal. */
export function mae({ prediction, target }: RegressionArguments, { reduction = 'mean' }: LossOptions = {}): tf.Tensor {
  checkSame('mae', 'target', target, prediction.shape);
  return tf.tidy(() => reduce('mae', magnitude(tf.sub(prediction, target)), reduction));
}

/** Options of `huber`. */
export interface HuberOptions extends LossOptions {
  /** Where the parabola becomes a line. Default 1. */
  readonly delta?: number | undefined;
}

/** Huber's loss of d = p − t: ½d² while |d| ≤ δ, then δ(|d| − ½δ). Huber 1964, "Robust estimation of a location parameter". */
export function huber(
  { prediction, target }: RegressionArguments,
  { delta = 1, reduction = 'mean' }: HuberOptions = {},
): tf.Tensor {
  checkSame('huber', 'target', target, prediction.shape);
  checkNumber('huber', 'delta', delta, { above: 0 });
  return tf.tidy(() => {
    const size = magnitude(tf.sub(prediction, target));
    const curved = tf.minimum(size, delta);
    const losses = tf.add(tf.mul(0.5, tf.square(curved)), tf.mul(delta, tf.sub(size, curved)));
    return reduce('huber', losses, reduction);
  });
}

/** Options of `smoothL1`. */
export interface SmoothL1Options extends LossOptions {
  /** Where the parabola becomes the absolute value less ½β. Default 1. */
  readonly beta?: number | undefined;
}

/** ½d²/β while |d| ≤ β, then |d| − ½β: Huber's loss with δ = β, over β. Girshick 2015, arXiv:1504.08083, eq. 3. */
export function smoothL1(
  { prediction, target }: RegressionArguments,
  { beta = 1, reduction = 'mean' }: SmoothL1Options = {},
): tf.Tensor {
  checkNumber('smoothL1', 'beta', beta, { above: 0 });
  return tf.tidy(() => tf.div(huber({ prediction, target }, { delta: beta, reduction }), beta));
}
