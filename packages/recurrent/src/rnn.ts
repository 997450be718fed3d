import { type RNNActivation, RNNCell, type RNNState } from './rnn-cell.ts';
import { RecurrentStack, type StackOptions } from './stack.ts';

/** Options of `RNN`. */
export interface RNNOptions extends StackOptions {
  /** φ. Default 'tanh'. */
  readonly activation?: RNNActivation | undefined;
}

/**
 * Simple recurrent network: stacked, optionally bidirectional layers of `RNNCell`, where the equations are. Each layer is one
 * op. The IRNN (a ReLU network that starts from the identity) is `new RNN({ inputSize, hiddenSize, ...irnn })`.
 *
 * Elman 1990, "Finding structure in time", Cognitive Science 14.
 */
export class RNN extends RecurrentStack<RNNState, RNNCell> {
  /** @throws ArgumentError when an option lies outside what is allowed */
  constructor(options: RNNOptions) {
    super('RNN', options, (inputSize, rng) => new RNNCell({ ...options, inputSize, rng }));
  }
}
