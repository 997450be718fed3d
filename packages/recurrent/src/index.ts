export { type BidirectionalOptions, type BidirectionalState, bidirectional, type Merge } from './bidirectional.ts';
export type { CellOptions, NamedState, StateSizes } from './cell-options.ts';
export { GRU, type GRUOptions } from './gru.ts';
export { GRUCell, type GRUCellOptions, type GRUState } from './gru-cell.ts';
export {
  type CellInitializer,
  type CellInitializers,
  type CellShape,
  irnn,
  kerasInitializers,
  pytorchInitializers,
} from './initializers.ts';
export { LSTM, type LSTMOptions } from './lstm.ts';
export { LSTMCell, type LSTMCellOptions, type LSTMState } from './lstm-cell.ts';
export type { Lengths, Resets } from './resets.ts';
export { RNN, type RNNOptions } from './rnn.ts';
export { type RNNActivation, RNNCell, type RNNCellOptions, type RNNState } from './rnn-cell.ts';
export type { AnyCell, FusedOptions, SequenceCell } from './sequence-cell.ts';
export type { LayerPair, RecurrentStack, StackCallOptions, StackOptions } from './stack.ts';
export { type TracedCell, traceCell } from './trace.ts';
export { type SequenceResult, type UnrollOptions, unroll } from './unroll.ts';
export { VanillaRNNCell, type VanillaRNNCellOptions } from './vanilla-rnn-cell.ts';
