import { ArgumentError, checkShape, type FusedOp, hasKernel, runFused, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import {
  type AllStates,
  checkLengths,
  checkSequence,
  type LastState,
  referenceRecurrence,
  type SequenceOptions,
  tidy,
} from './sequence.ts';

/** Kernel contract of `gruSequence`. */
const gruSequenceOp: FusedOp = {
  kernelName: 'OstinatoGru',
  inputs: ['input', 'inputWeight', 'recurrentWeight', 'bias', 'recurrentBias', 'initialHidden', 'lengths'],
  savedOutputs: [true, false, true],
  reserved: 1,
  gradient([dOutput, dHidden], saved, attributes) {
    const names = [...gruSequenceOp.inputs, 'output', 'reserve'];
    const inputs = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
    const gradients = runKernel('OstinatoGruGrad', { ...inputs, dOutput: dOutput!, dHidden: dHidden! }, attributes);
    const differentiable = gruSequenceOp.inputs.filter(name => name !== 'lengths');
    return Object.fromEntries(differentiable.map((name, i) => [name, gradients[i]!]));
  },
};

/** Arguments of `gruSequence`; gates lie side by side in the order r, z, n. */
export interface GruSequenceArguments {
  /** x, float32 [B, T, D]. */
  readonly input: tf.Tensor;
  /** W, float32 [D, 3H]. */
  readonly inputWeight: tf.Tensor;
  /** U, float32 [H, 3H]. */
  readonly recurrentWeight: tf.Tensor;
  /** b, float32 [3H]; zeros when absent. */
  readonly bias?: tf.Tensor | undefined;
  /** c, float32 [3H], reset-after form only; zeros when absent. */
  readonly recurrentBias?: tf.Tensor | undefined;
  /** h₀, float32 [B, H]; zeros when absent. */
  readonly initialHidden?: tf.Tensor | undefined;
  /** Valid steps of each row, int32 [B]; all T when absent. */
  readonly lengths?: tf.Tensor | undefined;
}

/** Options of `gruSequence`. */
export interface GruSequenceOptions extends SequenceOptions {
  /** Whether the reset gate acts after the recurrent product (cuDNN, PyTorch, Keras) or before it (the paper). Default true. */
  readonly resetAfter?: boolean | undefined;
}

/**
 * Gated recurrent unit over a whole sequence:
 *
 *     r, z = σ(xₜ W + b + hₜ₋₁ U + c)
 *     reset-after   n = tanh(xₜ Wₙ + bₙ + r ∘ (hₜ₋₁ Uₙ + cₙ))
 *     reset-before  n = tanh(xₜ Wₙ + bₙ + (r ∘ hₜ₋₁) Uₙ)
 *     hₜ = (1 − z) ∘ n + z ∘ hₜ₋₁
 *
 * Cho et al. 2014, arXiv:1406.1078, section 2.3, eq. 5 to 8 (reset-before, the same z); Chung et al. 2014, arXiv:1412.3555, section 3.2,
 * swaps z and 1 − z.
 *
 * @returns `output`, every hₜ, float32 [B, T, H] (zero where a row has ended), and `hidden`, each row's last, float32 [B, H]
 * @throws ShapeError, ArgumentError when shapes, lengths or options do not fit
 */
export function gruSequence(
  sequence: GruSequenceArguments,
  options?: GruSequenceOptions & AllStates,
): { output: tf.Tensor; hidden: tf.Tensor };
/** The last state only: `output` is null, and the reference does not even keep the states in between. */
export function gruSequence(
  sequence: GruSequenceArguments,
  options: GruSequenceOptions & LastState,
): { output: null; hidden: tf.Tensor };
export function gruSequence(
  { input, inputWeight, recurrentWeight, bias, recurrentBias, initialHidden, lengths }: GruSequenceArguments,
  { reverse = false, states = 'all', resetAfter = true }: GruSequenceOptions = {},
): { output: tf.Tensor | null; hidden: tf.Tensor } {
  const where = 'gruSequence';
  const sizes = checkSequence(where, { input, inputWeight, bias }, 3, { states });
  const { batch, hiddenSize } = sizes;
  checkShape(where, 'recurrentWeight', recurrentWeight, { hiddenSize, gates: 3 * hiddenSize }, 'float32');
  if (recurrentBias) checkShape(where, 'recurrentBias', recurrentBias, { gates: 3 * hiddenSize }, 'float32');
  if (recurrentBias && !resetAfter) {
    throw new ArgumentError({
      where,
      rule: 'recurrentBias belongs to the reset-after form',
      got: 'resetAfter: false',
      advice: 'Leave recurrentBias out.',
    });
  }
  if (initialHidden) checkShape(where, 'initialHidden', initialHidden, { batch, hiddenSize }, 'float32');
  checkLengths(where, lengths, sizes);
  return tidy(() => {
    const hidden = initialHidden ?? tf.zeros([batch, hiddenSize]);
    if (hasKernel(gruSequenceOp.kernelName)) {
      const inputs = { input, inputWeight, recurrentWeight, bias, recurrentBias, initialHidden: hidden, lengths };
      const [output, last] = runFused(gruSequenceOp, inputs, { reverse, resetAfter });
      return { output: states === 'all' ? output! : null, hidden: last! };
    }
    const candidateWeight = tf.slice(recurrentWeight, [0, 2 * hiddenSize], [hiddenSize, hiddenSize]) as tf.Tensor2D; // Uₙ
    const { output, carry } = referenceRecurrence<readonly [tf.Tensor]>(
      { input, inputWeight, bias, lengths, carry: [hidden] },
      (gates, [previous]) => {
        const [xr, xz, xn] = tf.split(gates, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const product = tf.matMul(previous as tf.Tensor2D, recurrentWeight as tf.Tensor2D); // [B, 3H]
        const recurrent = recurrentBias ? tf.add(product, recurrentBias) : product;
        const [hr, hz, hn] = tf.split(recurrent, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const r = tf.sigmoid(tf.add(xr, hr));
        const z = tf.sigmoid(tf.add(xz, hz));
        const memory = resetAfter ? tf.mul(r, hn) : tf.matMul(tf.mul(r, previous) as tf.Tensor2D, candidateWeight);
        const n = tf.tanh(tf.add(xn, memory));
        return [tf.add(n, tf.mul(z, tf.sub(previous, n)))]; // (1 − z) n + z h
      },
      { reverse, states },
    );
    return { output, hidden: carry[0] };
  });
}
