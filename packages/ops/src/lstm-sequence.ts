import { checkShape, type FusedOp, hasKernel, runFused, runKernel } from '@ostinato/core';
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

/** Kernel contract of `lstmSequence`. */
const lstmSequenceOp: FusedOp = {
  kernelName: 'OstinatoLstm',
  inputs: ['input', 'inputWeight', 'recurrentWeight', 'bias', 'initialHidden', 'initialCell', 'projection', 'lengths'],
  savedOutputs: [true, false, false, true],
  reserved: 1,
  gradient([dOutput, dHidden, dCell], saved, attributes) {
    const names = [...lstmSequenceOp.inputs, 'output', 'reserve'];
    const inputs = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
    const gradients = runKernel(
      'OstinatoLstmGrad',
      { ...inputs, dOutput: dOutput!, dHidden: dHidden!, dCell: dCell! },
      attributes,
    );
    const differentiable = lstmSequenceOp.inputs.filter(name => name !== 'lengths');
    return Object.fromEntries(differentiable.map((name, i) => [name, gradients[i]!]));
  },
};

/** Arguments of `lstmSequence`; gates lie side by side in the order i, f, g, o. */
export interface LstmSequenceArguments {
  /** x, float32 [B, T, D]. */
  readonly input: tf.Tensor;
  /** W, float32 [D, 4H]. */
  readonly inputWeight: tf.Tensor;
  /** U, float32 [P, 4H]; P = H without projection. */
  readonly recurrentWeight: tf.Tensor;
  /** b, float32 [4H]; zeros when absent. */
  readonly bias?: tf.Tensor | undefined;
  /** h₀, float32 [B, P]; zeros when absent. */
  readonly initialHidden?: tf.Tensor | undefined;
  /** c₀, float32 [B, H]; zeros when absent. */
  readonly initialCell?: tf.Tensor | undefined;
  /** R, float32 [H, P]: the hidden state is (o ∘ tanh c) R. */
  readonly projection?: tf.Tensor | undefined;
  /** Valid steps of each row, int32 [B]; all T when absent. */
  readonly lengths?: tf.Tensor | undefined;
}

/**
 * Long short-term memory over a whole sequence:
 *
 *     i = σ(xₜ Wᵢ + bᵢ + hₜ₋₁ Uᵢ)            f = σ(xₜ W_f + b_f + hₜ₋₁ U_f)
 *     g = tanh(xₜ W_g + b_g + hₜ₋₁ U_g)      o = σ(xₜ Wₒ + bₒ + hₜ₋₁ Uₒ)
 *     cₜ = f ∘ cₜ₋₁ + i ∘ g                  hₜ = o ∘ tanh(cₜ), times R when there is a projection
 *
 * W = [Wᵢ W_f W_g Wₒ], U and b likewise.
 *
 * Hochreiter and Schmidhuber 1997, Neural Computation 9; forget gate: Gers, Schmidhuber, Cummins 2000, Neural Computation 12;
 * projection: Sak, Senior, Beaufays 2014, arXiv:1402.1128.
 *
 * @returns `output`, every hₜ, float32 [B, T, P] (zero where a row has ended); `hidden` [B, P] and `cell` [B, H], each row's last
 * @throws ShapeError, ArgumentError when shapes or lengths do not fit
 */
export function lstmSequence(
  sequence: LstmSequenceArguments,
  options?: SequenceOptions & AllStates,
): { output: tf.Tensor; hidden: tf.Tensor; cell: tf.Tensor };
/** The last state only: `output` is null, and the reference does not even keep the states in between. */
export function lstmSequence(
  sequence: LstmSequenceArguments,
  options: SequenceOptions & LastState,
): { output: null; hidden: tf.Tensor; cell: tf.Tensor };
export function lstmSequence(
  { input, inputWeight, recurrentWeight, bias, initialHidden, initialCell, projection, lengths }: LstmSequenceArguments,
  { reverse = false, states = 'all' }: SequenceOptions = {},
): { output: tf.Tensor | null; hidden: tf.Tensor; cell: tf.Tensor } {
  const where = 'lstmSequence';
  const sizes = checkSequence(where, { input, inputWeight, bias }, 4, { states });
  const { batch, hiddenSize } = sizes;
  if (projection) checkShape(where, 'projection', projection, { hiddenSize, outputSize: null }, 'float32');
  const outputSize = projection ? projection.shape[1]! : hiddenSize;
  checkShape(where, 'recurrentWeight', recurrentWeight, { outputSize, gates: 4 * hiddenSize }, 'float32');
  if (initialHidden) checkShape(where, 'initialHidden', initialHidden, { batch, outputSize }, 'float32');
  if (initialCell) checkShape(where, 'initialCell', initialCell, { batch, hiddenSize }, 'float32');
  checkLengths(where, lengths, sizes);
  return tidy(() => {
    const hidden = initialHidden ?? tf.zeros([batch, outputSize]);
    const cell = initialCell ?? tf.zeros([batch, hiddenSize]);
    if (hasKernel(lstmSequenceOp.kernelName)) {
      const inputs = {
        input,
        inputWeight,
        recurrentWeight,
        bias,
        initialHidden: hidden,
        initialCell: cell,
        projection,
        lengths,
      };
      const [output, lastHidden, lastCell] = runFused(lstmSequenceOp, inputs, { reverse });
      return { output: states === 'all' ? output! : null, hidden: lastHidden!, cell: lastCell! };
    }
    const { output, carry } = referenceRecurrence<readonly [tf.Tensor, tf.Tensor]>(
      { input, inputWeight, bias, lengths, carry: [hidden, cell] },
      (gates, [previousHidden, previousCell]) => {
        const sum = tf.add(gates, tf.matMul(previousHidden as tf.Tensor2D, recurrentWeight as tf.Tensor2D)); // [B, 4H]
        const [i, f, g, o] = tf.split(sum, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        const nextCell = tf.add(tf.mul(tf.sigmoid(f), previousCell), tf.mul(tf.sigmoid(i), tf.tanh(g)));
        const exposed = tf.mul(tf.sigmoid(o), tf.tanh(nextCell)); // [B, H]
        return [projection ? tf.matMul(exposed as tf.Tensor2D, projection as tf.Tensor2D) : exposed, nextCell];
      },
      { reverse, states },
    );
    return { output, hidden: carry[0], cell: carry[1] };
  });
}
