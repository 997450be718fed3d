import { type CallOptions, checkChoice, type State } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Lengths, Resets } from './resets.ts';
import { type AnyCell, runSequence } from './sequence-cell.ts';
import { tidy } from './tidy.ts';
import type { SequenceResult } from './unroll.ts';

const merges = {
  /** [forward, backward] side by side: [B, T, F + R]. */
  concat: (forward: tf.Tensor, backward: tf.Tensor): tf.Tensor => tf.concat([forward, backward], 2),
  sum: (forward: tf.Tensor, backward: tf.Tensor): tf.Tensor => tf.add(forward, backward),
  average: (forward: tf.Tensor, backward: tf.Tensor): tf.Tensor => tf.mul(tf.add(forward, backward), 0.5),
  product: (forward: tf.Tensor, backward: tf.Tensor): tf.Tensor => tf.mul(forward, backward),
};

/** How the outputs of the two directions become one: side by side, or element by element. */
export type Merge = keyof typeof merges;

/** Checks that `merge` is one of the four. */
export function checkMerge(where: string, merge: string): void {
  checkChoice(where, 'merge', merge, Object.keys(merges) as Merge[]);
}

/** The state of both directions. */
export type BidirectionalState<F extends State, R extends State> = { readonly forward: F; readonly backward: R };

/** Options of `bidirectional`. */
export interface BidirectionalOptions<F extends State, R extends State> extends CallOptions {
  /** Default 'concat'. */
  readonly merge?: Merge | undefined;
  readonly state?: BidirectionalState<F, R> | undefined;
  readonly lengths?: Lengths | undefined;
  readonly resets?: Resets | undefined;
}

/**
 * Two cells over one sequence, the second one backward in time: yₜ = merge(forwardₜ, backwardₜ).
 *
 * The backward cell starts at every row's own last valid step; its final state is the one after step 0.
 *
 * Schuster and Paliwal 1997, "Bidirectional recurrent neural networks", IEEE Transactions on Signal Processing 45.
 *
 * @param input float32 [batch, time, inputSize]
 * @returns output float32 [batch, time, the sum of both widths for 'concat', else the width that both have]
 */
export function bidirectional<F extends State, R extends State>(
  { forward, backward }: { readonly forward: AnyCell<F>; readonly backward: AnyCell<R> },
  input: tf.Tensor,
  { merge = 'concat', state, lengths, resets, training, rng }: BidirectionalOptions<F, R> = {},
): SequenceResult<BidirectionalState<F, R>> {
  checkMerge('bidirectional', merge);
  return tidy(() => {
    const shared = { lengths, resets, training };
    const there = runSequence('bidirectional', forward, input, {
      ...shared,
      state: state?.forward,
      rng: rng?.split('forward'),
    });
    const back = runSequence('bidirectional', backward, input, {
      ...shared,
      state: state?.backward,
      rng: rng?.split('backward'),
      reverse: true,
    });
    return {
      output: merges[merge](there.output, back.output),
      state: { forward: there.state, backward: back.state },
    };
  });
}
