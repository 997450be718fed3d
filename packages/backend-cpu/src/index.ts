/**
 * A TensorFlow.js backend made for training. Importing this package registers it as `'ostinato-cpu'`, together with the
 * gradients of the core ops: `import '@ostinato/backend-cpu'; await tf.setBackend('ostinato-cpu');`
 */

import '#gradients';
import { register } from './register.ts';

register();

export { OstinatoCpuBackend } from './backend.ts';
export { MemoryLimitError } from './memory.ts';
export { measurePeak, type Peak } from './peak.ts';
export { kernelInfo, register } from './register.ts';
export type { KernelInfo } from './wasm.ts';
