/**
 * The seam between this backend and its kernels: functions over addresses in one memory. Arguments are in the order of the
 * C functions in `kernels/`, where they are described; an address of 0 means that an optional operand is absent.
 */

/** A byte address in the backend's memory. */
export type Address = number;

/** `*Work` functions give the floats of scratch memory that the kernel of that name needs. */
// biome-ignore format: one kernel a line, as a table.
export interface Kernels {
  gemm_work(threads: number): number;
  gemm(a: Address, aRow: number, aColumn: number, b: Address, bRow: number, bColumn: number, c: Address, m: number, k: number, n: number, batch: number, offsets: Address, work: Address, thread: number, threads: number, shared: Address): void;
  lstm_forward_work(padded: number, batch: number, time: number, inputs: number, hidden: number, outputs: number, projected: number, threads: number): number;
  lstm_forward(input: Address, inputWeight: Address, recurrentWeight: Address, bias: Address, initialHidden: Address, initialCell: Address, projection: Address, lengths: Address, output: Address, hiddenState: Address, cellState: Address, gates: Address, cells: Address, batch: number, time: number, inputs: number, hidden: number, outputs: number, reverse: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  lstm_backward_work(padded: number, batch: number, time: number, inputs: number, hidden: number, outputs: number, projected: number, threads: number): number;
  lstm_backward(input: Address, inputWeight: Address, recurrentWeight: Address, initialHidden: Address, initialCell: Address, projection: Address, lengths: Address, output: Address, gates: Address, cells: Address, dOutput: Address, dHiddenState: Address, dCellState: Address, dInput: Address, dInputWeight: Address, dRecurrentWeight: Address, dBias: Address, dProjection: Address, batch: number, time: number, inputs: number, hidden: number, outputs: number, reverse: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  rnn_forward_work(padded: number, batch: number, time: number, inputs: number, hidden: number, threads: number): number;
  rnn_forward(input: Address, inputWeight: Address, recurrentWeight: Address, bias: Address, initialHidden: Address, lengths: Address, output: Address, hiddenState: Address, batch: number, time: number, inputs: number, hidden: number, reverse: number, rectified: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  rnn_backward_work(padded: number, batch: number, time: number, inputs: number, hidden: number, threads: number): number;
  rnn_backward(input: Address, inputWeight: Address, recurrentWeight: Address, initialHidden: Address, lengths: Address, output: Address, dOutput: Address, dHiddenState: Address, dInput: Address, dInputWeight: Address, dRecurrentWeight: Address, dBias: Address, batch: number, time: number, inputs: number, hidden: number, reverse: number, rectified: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  gru_forward_work(padded: number, batch: number, time: number, inputs: number, hidden: number, resetAfter: number, threads: number): number;
  gru_forward(input: Address, inputWeight: Address, recurrentWeight: Address, bias: Address, recurrentBias: Address, initialHidden: Address, lengths: Address, output: Address, hiddenState: Address, gates: Address, extra: Address, batch: number, time: number, inputs: number, hidden: number, reverse: number, resetAfter: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  gru_backward_work(padded: number, batch: number, time: number, inputs: number, hidden: number, resetAfter: number, threads: number): number;
  gru_backward(input: Address, inputWeight: Address, recurrentWeight: Address, initialHidden: Address, lengths: Address, output: Address, gates: Address, extra: Address, dOutput: Address, dHiddenState: Address, dInput: Address, dInputWeight: Address, dRecurrentWeight: Address, dBias: Address, dRecurrentBias: Address, batch: number, time: number, inputs: number, hidden: number, reverse: number, resetAfter: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  attention_forward_work(keyTime: number, width: number, valueWidth: number, threads: number): number;
  attention_forward(query: Address, key: Address, value: Address, bias: Address, lengths: Address, output: Address, statistics: Address, places: Address, batch: number, queryHeads: number, keyHeads: number, queryTime: number, keyTime: number, width: number, valueWidth: number, biasBatch: number, biasHead: number, biasQuery: number, biasKey: number, scale: number, causal: number, offset: number, rate: number, key0: number, key1: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  attention_backward_work(places: Address, queryHeads: number, keyHeads: number, queryTime: number, width: number, valueWidth: number, threads: number): number;
  attention_backward(query: Address, key: Address, value: Address, bias: Address, lengths: Address, output: Address, statistics: Address, dOutput: Address, dQuery: Address, dKey: Address, dValue: Address, dBias: Address, places: Address, batch: number, queryHeads: number, keyHeads: number, queryTime: number, keyTime: number, width: number, valueWidth: number, biasBatch: number, biasHead: number, biasQuery: number, biasKey: number, scale: number, causal: number, offset: number, rate: number, key0: number, key1: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  layer_step_work(batch: number, size: number, packed: number, heads: number, hidden: number, gated: number, queryHeads: number, keyTime: number, threads: number): number;
  layer_step(input: Address, keyCache: Address, valueCache: Address, lengths: Address, attentionGain: Address, attentionBias: Address, packedWeight: Address, packedBias: Address, outputWeight: Address, outputBias: Address, feedGain: Address, feedBias: Address, gateWeight: Address, gateBias: Address, hiddenWeight: Address, hiddenBias: Address, finalWeight: Address, finalBias: Address, output: Address, batch: number, size: number, queryHeads: number, keyHeads: number, width: number, keyTime: number, hidden: number, preNorm: number, rms: number, attentionEpsilon: number, feedEpsilon: number, scale: number, activation: number, scratch: Address, thread: number, threads: number, shared: Address): void;
  embedding_gather(table: Address, ids: Address, output: Address, rows: number, width: number, thread: number, threads: number, shared: Address): void;
  embedding_scatter(ids: Address, dOutput: Address, dTable: Address, rows: number, width: number, vocabulary: number, padding: number, thread: number, threads: number, shared: Address): void;
  cross_entropy_forward(logits: Address, labels: Address, weights: Address, losses: Address, logSumExp: Address, rows: number, classes: number, smoothing: number, hasIgnored: number, ignored: number, thread: number, threads: number, shared: Address): void;
  cross_entropy_backward(logits: Address, labels: Address, weights: Address, logSumExp: Address, dLosses: Address, dLogits: Address, rows: number, classes: number, smoothing: number, hasIgnored: number, ignored: number, thread: number, threads: number, shared: Address): void;
  layer_norm_forward(input: Address, gain: Address, bias: Address, output: Address, means: Address, inverses: Address, rows: number, width: number, epsilon: number, thread: number, threads: number, shared: Address): void;
  layer_norm_backward(input: Address, gain: Address, means: Address, inverses: Address, dOutput: Address, dInput: Address, dGain: Address, dBias: Address, rows: number, width: number, thread: number, threads: number, shared: Address): void;
  rms_norm_forward(input: Address, gain: Address, output: Address, inverses: Address, rows: number, width: number, epsilon: number, thread: number, threads: number, shared: Address): void;
  rms_norm_backward(input: Address, gain: Address, inverses: Address, dOutput: Address, dInput: Address, dGain: Address, rows: number, width: number, thread: number, threads: number, shared: Address): void;
  silu_backward(x: Address, dOutput: Address, dInput: Address, size: number, thread: number, threads: number, shared: Address): void;
  gelu_backward(tanhForm: number, x: Address, dOutput: Address, dInput: Address, size: number, thread: number, threads: number, shared: Address): void;
  dropout(input: Address, output: Address, size: number, rate: number, key0: number, key1: number, thread: number, threads: number, shared: Address): void;
  random_words(key0: number, key1: number, counter0: number, counter1: number, words: Address): void;
  binary(operation: number, a: Address, aRow: number, aColumn: number, b: Address, bRow: number, bColumn: number, out: Address, rows: number, columns: number, thread: number, threads: number, shared: Address): void;
  binary_broadcast(operation: number, a: Address, b: Address, out: Address, plan: Address, rank: number, thread: number, threads: number, shared: Address): void;
  compare(operation: number, a: Address, b: Address, out: Address, plan: Address, rank: number, thread: number, threads: number, shared: Address): void;
  logical(operation: number, a: Address, b: Address, out: Address, plan: Address, rank: number, thread: number, threads: number, shared: Address): void;
  select_words(condition: Address, yes: Address, no: Address, out: Address, size: number, thread: number, threads: number, shared: Address): void;
  convert(operation: number, x: Address, out: Address, size: number, thread: number, threads: number, shared: Address): void;
  unary(operation: number, x: Address, out: Address, size: number, thread: number, threads: number, shared: Address): void;
  pieces(operation: number, x: Address, out: Address, size: number, low: number, high: number, thread: number, threads: number, shared: Address): void;
  sum_inner_work(rows: number, columns: number, threads: number): number;
  sum_inner(x: Address, out: Address, rows: number, columns: number, work: Address, thread: number, threads: number, shared: Address): void;
  sum_middle(x: Address, out: Address, outer: number, middle: number, inner: number, thread: number, threads: number, shared: Address): void;
  extreme_inner(smallest: number, x: Address, out: Address, rows: number, columns: number, work: Address, thread: number, threads: number, shared: Address): void;
  extreme_middle(smallest: number, x: Address, out: Address, outer: number, middle: number, inner: number, thread: number, threads: number, shared: Address): void;
  product(x: Address, out: Address, outer: number, middle: number, inner: number, thread: number, threads: number, shared: Address): void;
  arg_extreme(smallest: number, x: Address, out: Address, outer: number, middle: number, inner: number, thread: number, threads: number, shared: Address): void;
  gather_slices(x: Address, indices: Address, out: Address, batch: number, outer: number, size: number, count: number, inner: number, thread: number, threads: number, shared: Address): void;
  one_hot(indices: Address, out: Address, count: number, depth: number, on: number, off: number, thread: number, threads: number, shared: Address): void;
  scatter_slices(operation: number, indices: Address, updates: Address, out: Address, count: number, size: number, inner: number, thread: number, threads: number, shared: Address): void;
  cumulate(operation: number, x: Address, out: Address, outer: number, middle: number, inner: number, exclusive: number, reverse: number, thread: number, threads: number, shared: Address): void;
  top_k(x: Address, values: Address, places: Address, rows: number, size: number, k: number, thread: number, threads: number, shared: Address): void;
  any_all(all: number, x: Address, out: Address, outer: number, middle: number, inner: number, thread: number, threads: number, shared: Address): void;
  transpose(x: Address, out: Address, batch: number, rows: number, columns: number, thread: number, threads: number, shared: Address): void;
  strided_copy(x: Address, out: Address, plan: Address, rank: number, thread: number, threads: number, shared: Address): void;
  softmax(logits: Address, out: Address, rows: number, classes: number, thread: number, threads: number, shared: Address): void;
  optimizer_step(kind: number, gradient: Address, scale: Address, parameter: Address, slot0: Address, slot1: Address, slot2: Address, parameterOut: Address, update: Address, new0: Address, new1: Address, new2: Address, sums: Address, numbers: Address, size: number, thread: number, threads: number, shared: Address): void;
  square_sums(x: Address, sums: Address, size: number, thread: number, threads: number, shared: Address): void;
  conv2d_work(shape: Address, threads: number): number;
  conv2d(input: Address, filter: Address, output: Address, shape: Address, scratch: Address, thread: number, threads: number, shared: Address): void;
  conv2d_input_gradient_work(shape: Address, threads: number): number;
  conv2d_input_gradient(dOutput: Address, filter: Address, dInput: Address, shape: Address, scratch: Address, thread: number, threads: number, shared: Address): void;
  conv2d_filter_gradient_work(shape: Address, threads: number): number;
  conv2d_filter_gradient(input: Address, dOutput: Address, dFilter: Address, shape: Address, scratch: Address, thread: number, threads: number, shared: Address): void;
  depthwise(input: Address, filter: Address, output: Address, shape: Address, thread: number, threads: number, shared: Address): void;
  depthwise_input_gradient(dOutput: Address, filter: Address, dInput: Address, shape: Address, thread: number, threads: number, shared: Address): void;
  depthwise_filter_gradient_work(shape: Address): number;
  depthwise_filter_gradient(input: Address, dOutput: Address, dFilter: Address, shape: Address, work: Address, thread: number, threads: number, shared: Address): void;
  batch_norm(x: Address, mean: Address, factor: Address, shift: Address, out: Address, rows: number, channels: number, thread: number, threads: number, shared: Address): void;
  max_pool(input: Address, output: Address, shape: Address, thread: number, threads: number, shared: Address): void;
  average_pool(input: Address, output: Address, shape: Address, thread: number, threads: number, shared: Address): void;
  max_pool_gradient(input: Address, dOutput: Address, dInput: Address, shape: Address, thread: number, threads: number, shared: Address): void;
  average_pool_gradient(dOutput: Address, dInput: Address, shape: Address, thread: number, threads: number, shared: Address): void;
  peak_operations(): number;
  peak_multiply_add(out: Address, rounds: number, thread: number, threads: number, shared: Address): void;
  peak_copy(from: Address, to: Address, size: number, thread: number, threads: number, shared: Address): void;
}
