import { GRUCell, type GRUState } from './gru-cell.ts';
import { RecurrentStack, type StackOptions } from './stack.ts';

/** Options of `GRU`. */
export interface GRUOptions extends StackOptions {
  /** Whether the reset gate acts after the product with U (default true) or before it. */
  readonly resetAfter?: boolean | undefined;
}

/**
 * Gated recurrent units: stacked, optionally bidirectional layers of `GRUCell`, where the equations are. Each layer is one op.
 *
 * Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", arXiv:1406.1078.
 */
export class GRU extends RecurrentStack<GRUState, GRUCell> {
  /** @throws ArgumentError when an option lies outside what is allowed */
  constructor(options: GRUOptions) {
    super('GRU', options, (inputSize, rng) => new GRUCell({ ...options, inputSize, rng }));
  }
}
