import { mapState, type State, stopGradient } from '@ostinato/core';
import type { WindowBatch } from '@ostinato/data';
import { crossEntropy, type StepContext, type StepLoss, windowLoss } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import type { AnyLanguageModel } from './transformer.ts';

/** What a step of streams hands to the next: the state, and the tokens that gradients may still flow through. */
export interface Carry {
  readonly [name: string]: State;
}

/** Resets of a batch, as streams have them. */
function resetsOf(batch: WindowBatch): Uint8Array | undefined {
  return (batch as { readonly reset?: Uint8Array }).reset;
}

/** Mean loss of a window that is read in parts of `bptt` tokens; the state that enters a part is a constant. */
export function chunkedLoss(
  model: AnyLanguageModel,
  batch: WindowBatch,
  { state, rng }: StepContext<Carry>,
  { bptt, carry }: { readonly bptt: number; readonly carry: boolean },
): StepLoss<Carry> {
  const [rows, time] = batch.shape;
  const ids = tf.tensor2d(batch.inputs, batch.shape, 'int32'); // [B, T]
  const resets = resetsOf(batch);
  const outputs: tf.Tensor[] = [];
  let current: State | undefined = state?.['state'];
  for (let start = 0; start < time; start += bptt) {
    const size = Math.min(bptt, time - start);
    const result = model.hidden(tf.slice(ids, [0, start], [rows, size]), {
      state: current && mapState(current, tensor => stopGradient(tensor)),
      resets: resets && columns(resets, { rows, time, start, size }),
      training: true,
      rng: rng.split(start),
    });
    outputs.push(result.output);
    current = result.state;
  }
  const hidden = outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 1); // [B, T, H]
  const labels = tf.tensor2d(batch.targets, batch.shape, 'int32');
  return {
    loss: crossEntropy({ logits: model.project(hidden), labels }),
    tokens: rows * time,
    state: carry ? { state: mapState(current!, tensor => tf.clone(tensor)) } : undefined,
  };
}

/** Mean loss of a window of a stream, whose gradients flow on through the `overlap` tokens before it. */
export function overlappingLoss(
  model: AnyLanguageModel,
  batch: WindowBatch,
  { state: carried, rng }: StepContext<Carry>,
  { overlap }: { readonly overlap: number },
): StepLoss<Carry> {
  const [rows, time] = batch.shape;
  const fresh = tf.tensor2d(batch.inputs, batch.shape, 'int32'); // [B, T]
  const freshResets = tf.tensor2d(Int32Array.from(resetsOf(batch)!), batch.shape, 'int32');
  const before = carried?.['tokens'] as tf.Tensor | undefined; // [B, ≤ overlap]
  const input = before ? tf.concat([before, fresh], 1) : fresh;
  const resets = before ? tf.concat([carried!['resets'] as tf.Tensor, freshResets], 1) : freshResets;
  const end = input.shape[1]!;
  const nextStart = Math.max(0, end - overlap);
  const labels = tf.tensor2d(batch.targets, batch.shape, 'int32');
  const result = windowLoss<State>({
    model: { call: (ids, options) => model.hidden(ids, options) },
    window: { start: 0, lossStart: end - time, end, nextStart },
    input,
    state: carried?.['state'],
    resets: resets.dataSync(),
    loss: hidden => crossEntropy({ logits: model.project(hidden), labels }),
    training: true,
    rng,
  });
  const kept = { tokens: tail(input, nextStart), resets: tail(resets, nextStart) };
  const next: Carry = {
    ...(overlap > 0 ? kept : {}),
    ...(result.state ? { state: result.state } : {}),
  };
  return { loss: result.loss, tokens: rows * time, state: next };
}

/** Columns from `start` on. */
function tail(matrix: tf.Tensor, start: number): tf.Tensor {
  return tf.slice(matrix, [0, start], [matrix.shape[0]!, matrix.shape[1]! - start]);
}

/** Columns start … start+size−1 of a row-major [rows, time] array. */
function columns(
  values: Uint8Array,
  { rows, time, start, size }: { rows: number; time: number; start: number; size: number },
): Uint8Array {
  const part = new Uint8Array(rows * size);
  for (let row = 0; row < rows; row++) {
    part.set(values.subarray(row * time + start, row * time + start + size), row * size);
  }
  return part;
}
