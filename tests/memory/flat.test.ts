// Training and generation for long take as much memory as for short: tensors, bytes, the engine's own memory, the heap.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import { generateText, LanguageModel, trainLanguageModel } from '@ostinato/tasks/language-modeling';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';

const text = 'a ground, and on the ground a line that returns, and returns, and is never the same.\n'.repeat(20);
const tokenizer = CharacterTokenizer.train([text]);

beforeAll(async () => {
  await tf.setBackend('ostinato-cpu');
});

/** What is alive: TensorFlow.js's count, and the engine's allocator (bytes handed out, bytes of WebAssembly managed). */
function alive(): Record<string, number> {
  const { numTensors, numDataBuffers, numBytes, allocatedBytes, reservedBytes } = tf.memory() as tf.MemoryInfo & {
    allocatedBytes: number;
    reservedBytes: number;
  };
  return { numTensors, numDataBuffers, numBytes, allocatedBytes, reservedBytes };
}

/** Bytes that JavaScript holds on to after a full collection, in the heap and in buffers beside it. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('memory', { timeout: 240_000 }, () => {
  it.each(['windows', 'streams'] as const)('is flat in 2,000 steps of training on %s', async batches => {
    const before = alive();
    const { vocabularySize } = tokenizer;
    const model = new LanguageModel({
      vocabularySize,
      embeddingSize: 8,
      architecture: 'lstm',
      hiddenSize: 16,
      dropout: 0.1,
    });
    const tokens = tokenizer.encode(text);
    // Two parts a window, so that a state is cut off and handed on inside a step too.
    const options = { model, tokens, steps: 2000, batchSize: 4, windowLength: 16, bptt: 8, batches };
    let atStep10: Record<string, number> = {};
    let held = 0;
    let steps = 0;
    for await (const event of trainLanguageModel(options)) {
      if (event.event !== 'step') continue;
      steps = event.step;
      if (steps === 10) atStep10 = alive();
      if (steps > 10) expect(alive(), `after step ${steps}`).toEqual(atStep10);
      if (steps === 200) held = heldBytes();
    }
    expect(steps).toBe(2000);
    expect(heldBytes() - held).toBeLessThan(2 ** 21);
    model.dispose();
    expect(alive()).toEqual({ ...before, reservedBytes: expect.any(Number) });
  });

  it('is flat while 100,000 characters are generated', async () => {
    const { vocabularySize } = tokenizer;
    const before = alive();
    const model = new LanguageModel({ vocabularySize, embeddingSize: 4, architecture: 'gru', hiddenSize: 8 });
    const maximumTokens = 100_000;
    let characters = 0;
    let at10 = {};
    let held = 0;
    for await (const piece of generateText({ model, tokenizer, prompts: ['a'], maximumTokens, rng: new Rng(1) })) {
      characters += piece.text.length;
      if (characters === 10) at10 = alive();
      if (characters > 10 && characters % 1000 === 0) expect(alive(), `after ${characters}`).toEqual(at10);
      if (characters === 10_000) held = heldBytes();
    }
    expect(characters).toBe(maximumTokens);
    // The generator keeps the token ids, 8 bytes each; a leak of 100 bytes a character would be 9 MB.
    expect(heldBytes() - held).toBeLessThan(4 * 2 ** 20);
    model.dispose();
    expect(alive()).toEqual({ ...before, reservedBytes: expect.any(Number) });
  });
});
