import type { NativeOutcome } from './native-outcome.ts';

/** Bundlers and browsers: a page cannot call native code. */
export function loadNativeKernels(_memory: WebAssembly.Memory): NativeOutcome {
  return { refused: 'native code needs Node' };
}
