import '/work/main/packages/backend-cpu/src/index.ts';
import { OstinatoCpuBackend } from '/work/main/packages/backend-cpu/src/index.ts';
import * as tf from '@tensorflow/tfjs';
import { registerBackend, copyRegisteredKernels, getKernelsForBackend, registerKernel } from '@tensorflow/tfjs-core';
registerBackend('unshared', () => new OstinatoCpuBackend({ sharedMemory: false }), 1);
copyRegisteredKernels('ostinato-cpu', 'unshared');
await tf.setBackend('unshared');
const b = tf.backend() as unknown as OstinatoCpuBackend;
console.log(b.info.sharedMemory);
const embed = tf.tensor1d([3, 1, 2, 0], 'int32');
// put int32 values into wasm memory: an op that moves them in (embedding ids)
const table = tf.ones([4, 2]);
tf.engine().runKernel('OstinatoEmbedding', { table, ids: embed } as never, { paddingIndex: null } as never);
const asFloat = tf.cast(embed, 'float32');
let bad = 0, grown = 0;
const keep: tf.Tensor[] = [];
for (let i = 0; i < 4000; i++) {
  const before = b.kernelMemory.memory.buffer.byteLength;
  // exhaust so that scratch must grow: fill in 64-byte units
  keep.push(tf.add(tf.zeros([1]), tf.scalar(1)));
  const y = tf.square(asFloat);
  const grew = b.kernelMemory.memory.buffer.byteLength !== before;
  if (grew) grown++;
  const v = [...y.dataSync()];
  if (v.join() !== '9,1,4,0') { bad++; console.log(i, grew, v); }
  y.dispose();
}
console.log('square: bad', bad, 'grown', grown);
// directed: leave exactly one free block
bad = 0;
const mem = b.kernelMemory;
for (let round = 0; round < 3; round++) {
  const held: number[] = [];
  // take all remaining in small blocks until just before growth
  let len = mem.memory.buffer.byteLength;
  for (;;) { const { reservedBytes, allocatedBytes } = mem.usage; if (reservedBytes - allocatedBytes <= 64) break; held.push(mem.allocate(Math.min(reservedBytes - allocatedBytes - 64, 1 << 20) || 64)); if (mem.memory.buffer.byteLength !== len) { console.log('grew while filling'); break; } }
  const y = tf.square(asFloat);
  console.log('round', round, 'grew', mem.memory.buffer.byteLength !== len, [...y.dataSync()]);
  for (const h of held) mem.release(h);
}
