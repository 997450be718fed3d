import type { KernelMemory } from './memory.ts';
import type { NativeOutcome } from './native-outcome.ts';

/** Bundlers and browsers: a page cannot call native code. */
export function loadNativeKernels(_memory: KernelMemory): NativeOutcome {
  return { refused: 'native code needs Node' };
}
