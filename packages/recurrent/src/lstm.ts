import { LSTMCell, type LSTMState } from './lstm-cell.ts';
import { RecurrentStack, type StackOptions } from './stack.ts';

/** Options of `LSTM`. */
export interface LSTMOptions extends StackOptions {
  /** Width P < hiddenSize of a projected hidden state (Sak et al. 2014, arXiv:1402.1128). Default: none. */
  readonly projectionSize?: number | undefined;
  /** What the forget gates' biases start from. Default: as `biasInitializer` draws. */
  readonly forgetBias?: number | undefined;
}

/**
 * Long short-term memory: stacked, optionally bidirectional layers of `LSTMCell`, where the equations are. Each layer is one
 * op.
 *
 * Hochreiter and Schmidhuber 1997, "Long short-term memory", Neural Computation 9; Gers et al. 2000.
 */
export class LSTM extends RecurrentStack<LSTMState, LSTMCell> {
  /** @throws ArgumentError when an option lies outside what is allowed */
  constructor(options: LSTMOptions) {
    super('LSTM', options, (inputSize, rng) => new LSTMCell({ ...options, inputSize, rng }));
  }
}
