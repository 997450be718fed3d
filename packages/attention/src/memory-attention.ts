import { checkShape, type Module } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Lengths, readLengths } from './mask.ts';

/** What attention to a memory returns. */
export interface ContextResult {
  /** c = Σ weights · memory, float32 [batch, queries, memorySize]. */
  readonly context: tf.Tensor;
  /** float32 [batch, queries, source]: rows sum to 1, or to 0 where no step of the memory counts. */
  readonly weights: tf.Tensor;
}

/** Options of attention to a memory. */
export interface MemoryAttentionCallOptions {
  /** How many steps of each memory count (right padding). Default: all. */
  readonly lengths?: Lengths | undefined;
}

/** A memory and what its queries are compared with. */
export interface AttendedMemory {
  /** float32 [batch, source, memorySize] */
  readonly memory: tf.Tensor;
  /** What `project` returned for it. */
  readonly keys: tf.Tensor;
}

/** Attention of a recurrent decoder to the states of an encoder: additive or multiplicative. */
export interface MemoryAttention extends Module {
  readonly querySize: number;
  readonly memorySize: number;
  /** What queries are compared with, the same at every step: float32 [batch, source, ·] of a memory [batch, source, memorySize]. */
  project(memory: tf.Tensor): tf.Tensor;
  /** For queries float32 [batch, queries, querySize]. */
  attend(query: tf.Tensor, attended: AttendedMemory, options?: MemoryAttentionCallOptions): ContextResult;
}

/** Checks query and memory. */
export function checkMemory(
  where: string,
  query: tf.Tensor,
  memory: tf.Tensor,
  { querySize, memorySize }: { querySize: number; memorySize: number },
): void {
  checkShape(where, 'memory', memory, { batch: null, source: null, memorySize }, 'float32');
  checkShape(where, 'query', query, { batch: memory.shape[0]!, queries: null, querySize }, 'float32');
}

/** softmax(scores) memory, over the steps that count: scores float32 [batch, queries, source]. */
export function contextOf(
  where: string,
  scores: tf.Tensor,
  memory: tf.Tensor,
  { lengths }: MemoryAttentionCallOptions,
): ContextResult {
  if (lengths === undefined) {
    const weights = tf.softmax(scores);
    return { context: tf.matMul(weights, memory), weights };
  }
  const [batch, , source] = scores.shape as [number, number, number];
  const counts = tf.reshape(readLengths(where, 'lengths', lengths, batch)!, [batch, 1, 1]);
  const counted = tf.cast(tf.less(tf.range(0, source, 1, 'int32'), counts), 'float32'); // [B, 1, S], 1 where a step counts
  // Far below every score, yet finite: of a memory without steps the weights are 0, not NaN.
  const masked = tf.add(scores, tf.mul(tf.sub(counted, 1), 3e38));
  const weights = tf.mul(tf.softmax(masked), counted);
  return { context: tf.matMul(weights, memory), weights };
}
