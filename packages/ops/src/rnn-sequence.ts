import { checkChoice, checkShape, type FusedOp, hasKernel, runFused, runKernel } from '@ostinato/core';
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

/** Kernel contract of `rnnSequence`. */
const rnnSequenceOp: FusedOp = {
  kernelName: 'OstinatoRnn',
  inputs: ['input', 'inputWeight', 'recurrentWeight', 'bias', 'initialHidden', 'lengths'],
  savedOutputs: [true, false],
  gradient([dOutput, dHidden], saved, attributes) {
    const names = [...rnnSequenceOp.inputs, 'output'];
    const inputs = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
    const [dInput, dInputWeight, dRecurrentWeight, dBias, dInitialHidden] = runKernel(
      'OstinatoRnnGrad',
      { ...inputs, dOutput: dOutput!, dHidden: dHidden! },
      attributes,
    );
    return {
      input: dInput!,
      inputWeight: dInputWeight!,
      recurrentWeight: dRecurrentWeight!,
      bias: dBias!,
      initialHidden: dInitialHidden!,
    };
  },
};

/** Arguments of `rnnSequence`. */
export interface RnnSequenceArguments {
  /** x, float32 [B, T, D]. */
  readonly input: tf.Tensor;
  /** W_xh, float32 [D, H]. */
  readonly inputWeight: tf.Tensor;
  /** W_hh, float32 [H, H]. */
  readonly recurrentWeight: tf.Tensor;
  /** b, float32 [H]; zeros when absent. */
  readonly bias?: tf.Tensor | undefined;
  /** h₀, float32 [B, H]; zeros when absent. */
  readonly initialHidden?: tf.Tensor | undefined;
  /** Valid steps of each row, int32 [B]; all T when absent. */
  readonly lengths?: tf.Tensor | undefined;
}

/** Options of `rnnSequence`. */
export interface RnnSequenceOptions extends SequenceOptions {
  /** φ. Default `'tanh'`. */
  readonly activation?: 'tanh' | 'relu' | undefined;
}

/**
 * Elman's recurrent network over a whole sequence: hₜ = φ(xₜ W_xh + b + hₜ₋₁ W_hh).
 *
 * Elman 1990, "Finding structure in time", Cognitive Science 14.
 *
 * @returns `output`, every hₜ, float32 [B, T, H] (zero where a row has ended), and `hidden`, each row's last, float32 [B, H]
 * @throws ShapeError, ArgumentError when shapes, lengths or options do not fit
 */
export function rnnSequence(
  sequence: RnnSequenceArguments,
  options?: RnnSequenceOptions & AllStates,
): { output: tf.Tensor; hidden: tf.Tensor };
/** The last state only: `output` is null, and the reference does not even keep the states in between. */
export function rnnSequence(
  sequence: RnnSequenceArguments,
  options: RnnSequenceOptions & LastState,
): { output: null; hidden: tf.Tensor };
export function rnnSequence(
  { input, inputWeight, recurrentWeight, bias, initialHidden, lengths }: RnnSequenceArguments,
  { reverse = false, states = 'all', activation = 'tanh' }: RnnSequenceOptions = {},
): { output: tf.Tensor | null; hidden: tf.Tensor } {
  const where = 'rnnSequence';
  const sizes = checkSequence(where, { input, inputWeight, bias }, 1, { states });
  const { batch, hiddenSize } = sizes;
  checkShape(where, 'recurrentWeight', recurrentWeight, { hiddenSize, gates: hiddenSize }, 'float32');
  if (initialHidden) checkShape(where, 'initialHidden', initialHidden, { batch, hiddenSize }, 'float32');
  checkLengths(where, lengths, sizes);
  checkChoice(where, 'activation', activation, ['tanh', 'relu']);
  return tidy(() => {
    const hidden = initialHidden ?? tf.zeros([batch, hiddenSize]);
    if (hasKernel(rnnSequenceOp.kernelName)) {
      const inputs = { input, inputWeight, recurrentWeight, bias, initialHidden: hidden, lengths };
      const [output, last] = runFused(rnnSequenceOp, inputs, { reverse, activation });
      return { output: states === 'all' ? output! : null, hidden: last! };
    }
    const phi = activation === 'tanh' ? tf.tanh : tf.relu;
    const { output, carry } = referenceRecurrence<readonly [tf.Tensor]>(
      { input, inputWeight, bias, lengths, carry: [hidden] },
      (gates, [previous]) => [phi(tf.add(gates, tf.matMul(previous as tf.Tensor2D, recurrentWeight as tf.Tensor2D)))],
      { reverse, states },
    );
    return { output, hidden: carry[0] };
  });
}
