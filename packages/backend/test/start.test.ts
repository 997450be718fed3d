import { start as startInBrowser } from '@ostinato/backend/browser';
import { engineNames, listEngines, start } from '@ostinato/backend/node';
import { ArgumentError, isOstinatoError, ResourceError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';

afterEach(async () => {
  await tf.setBackend('cpu');
});

describe('start', () => {
  it('starts our own engine when nothing is asked for', async () => {
    const report = await start();
    expect(report.engine).toBe('cpu');
    expect(report.backend).toBe('ostinato-cpu');
    expect(tf.getBackend()).toBe('ostinato-cpu');
    expect(report.candidates.map(candidate => candidate.name)).toEqual(['cpu']);
    expect(report.candidates[0]!.details['level']).toMatch(/simd|avx|neon/);
  });

  it('computes and differentiates on what it started', async () => {
    for (const engine of ['cpu', 'tfjs-cpu'] as const) {
      await start({ prefer: [engine] });
      const gradient = tf.tidy(() => tf.grad(x => tf.sum(tf.square(x)))(tf.tensor1d([1, 2, 3])));
      expect(Array.from(await gradient.data()), engine).toEqual([2, 4, 6]);
      gradient.dispose();
    }
  });

  it('wants an array', async () => {
    const started = start({ prefer: 'cpu' as never });
    await expect(started).rejects.toThrow(/start: prefer must be an array, .* got cpu\. Write/);
  });

  it('says what was refused before the engine it took, and why', async () => {
    const report = await start({ prefer: ['cuda', 'webgpu', 'cpu'] });
    expect(report.engine).toBe('cpu');
    expect(report.candidates.map(({ name, available }) => [name, available])).toEqual([
      ['cuda', false],
      ['webgpu', false],
      ['cpu', true],
    ]);
    expect(report.candidates[0]!.reason).toContain('not built yet');
    expect(report.why).toContain('cuda (not built yet');
  });

  it('throws with every reason when nothing can run, and leaves the backend as it was', async () => {
    const failure = await start({ prefer: ['cuda', 'webgpu'] }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ResourceError);
    expect((failure as Error).message).toMatch(/cuda \(not built yet.*webgpu \(not built yet/);
    expect(tf.getBackend()).toBe('cpu');
  });

  it('lists the names when one is unknown or none is given', async () => {
    const unknown = await start({ prefer: ['metal' as 'cpu'] }).catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(ArgumentError);
    expect((unknown as Error).message).toBe(
      "start: unknown engine, expected 'cuda' | 'webgpu' | 'cpu' | 'tfjs-cpu', got 'metal'.",
    );
    await expect(start({ prefer: [] })).rejects.toSatisfy(isOstinatoError);
  });

  it('starts in browsers through the other entry, where CUDA needs Node', async () => {
    const report = await startInBrowser({ prefer: ['cuda', 'cpu'] });
    expect(report.engine).toBe('cpu');
    expect(report.candidates[0]!.reason).toContain('Node');
  });
});

describe('listEngines', () => {
  it.each(['ostinato-cpu', 'cpu'])('leaves %s active', async backend => {
    await start({ prefer: ['cpu'] });
    await tf.setBackend(backend);
    await listEngines();
    expect(tf.getBackend()).toBe(backend);
  });

  it('leaves nothing active where nothing was, and TensorFlow.js chooses as ever', async () => {
    Object.assign(tf.engine(), { backendName: undefined, backendInstance: null });
    await listEngines();
    expect(tf.getBackend()).toBeUndefined();
    await start({ prefer: ['cuda'] }).catch(() => undefined);
    expect(tf.getBackend()).toBeUndefined();
    expect(tf.tidy(() => tf.scalar(2).square().dataSync()[0])).toBe(4);
    expect(tf.getBackend()).toBeTruthy();
  });

  it('tries every engine', async () => {
    const candidates = await listEngines();
    expect(candidates.map(candidate => candidate.name)).toEqual([...engineNames]);
    const reasons = Object.fromEntries(candidates.map(({ name, available, reason }) => [name, { available, reason }]));
    expect(reasons['cpu']!.available).toBe(true);
    expect(reasons['tfjs-cpu']!.available).toBe(true);
    expect(reasons['cuda']).toMatchObject({ available: false, reason: expect.stringContaining('not built yet') });
  });

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await listEngines();
    expect(tf.memory().numTensors).toBe(before);
  });
});
