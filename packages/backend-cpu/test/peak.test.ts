import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { measurePeak } from '../src/index.ts';

it('measurePeak measures with one thread and with all, and keeps no memory', async () => {
  await tf.setBackend('ostinato-cpu');
  await measurePeak();
  const before = (tf.memory() as tf.MemoryInfo & { allocatedBytes: number }).allocatedBytes;
  const one = await measurePeak({ threads: 1 });
  const all = await measurePeak();
  expect(one.threads).toBe(1);
  expect(all.threads).toBeGreaterThanOrEqual(1);
  for (const peak of [one, all]) {
    expect(peak.gigaflops).toBeGreaterThan(0.1);
    expect(peak.gigabytesPerSecond).toBeGreaterThan(0.01);
  }
  expect((tf.memory() as tf.MemoryInfo & { allocatedBytes: number }).allocatedBytes).toBe(before);
});
