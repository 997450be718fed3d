import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng, summary } from '@ostinato/core';
import { evaluate, TransformerLanguageModel, trainLanguageModel } from '@ostinato/tasks/language-modeling';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark, Figures } from './report.ts';

/**
 * nanoGPT's CPU configuration on the works of Shakespeare, character by character: batch 12, block 64, no dropout, AdamW (1e-3, by a
 * cosine to 1e-4, warm-up 100; β₂ 0.99, decay 0.1 on matrices, norm clipped to 1). Its README reports 1.88 nats of validation loss after
 * 2,000 steps, on 20 batches; here the loss is that of the whole last tenth of the text, in blocks of 64, and besides with windows 16
 * characters apart, so that each has 48 or more before it. SHAKESPEARE_BATCHES: `blocks`, each once an epoch, the default, or
 * `windows` from anywhere, as nanoGPT draws them, of which 2,000 steps leave a fifth of the text unread.
 */
export const shakespeare: Benchmark = async (report, { quick }) => {
  const file = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'tinyshakespeare/input.txt');
  if (!existsSync(file)) return { skipped: `no ${file}; OSTINATO_DATA names the folder of the data` };
  const text = readFileSync(file, 'utf8');
  const tokenizer = CharacterTokenizer.train(text);
  const ids = tokenizer.encode(text);
  const border = Math.floor(0.9 * ids.length);
  const [tokens, validation] = [ids.subarray(0, border), ids.subarray(border)];
  const batches = process.env['SHAKESPEARE_BATCHES'] === 'windows' ? 'windows' : 'blocks';
  const seeds = quick ? [1] : (process.env['SHAKESPEARE_SEEDS'] ?? '1,2,3').split(',').map(Number);
  await tf.setBackend('ostinato-cpu');
  const figures: Figures = { kernels: kernelInfo() as unknown as Record<string, unknown>, batches };
  const losses: number[] = [];
  for (const seed of seeds) {
    const { vocabularySize } = tokenizer;
    const model = new TransformerLanguageModel({
      architecture: 'gpt',
      vocabularySize,
      rng: new Rng(seed).split('model'),
    });
    const curve: Record<string, number> = {};
    const start = performance.now();
    const run = trainLanguageModel({
      ...{ model, tokens, validation, validateEvery: 250, batches, seed, batchSize: 12, steps: quick ? 200 : 2000 },
      ...{ learningRate: 1e-3, schedule: 'cosine', finalRate: 0.1, warmup: 100, beta2: 0.99, weightDecay: 0.1 },
    });
    for await (const event of run) {
      if (event.event !== 'validation') continue;
      curve[event.step] = event.metrics['validationLoss']!;
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      report(`seed ${seed}, step ${event.step}: ${curve[event.step]!.toFixed(4)} nats, ${seconds} s`);
    }
    const seconds = (performance.now() - start) / 1000;
    const validationNats = Object.values(curve).at(-1)!;
    const sliding = (await evaluate(model, validation, { stride: 16 })).nats;
    losses.push(validationNats);
    const size = summary(model).total;
    figures[`seed${seed}`] = { parameters: size, seconds, validationNats, validationNatsSliding: sliding, curve };
    report(`seed ${seed}: ${sliding.toFixed(4)} nats with windows 16 apart`);
    model.dispose();
  }
  return { ...figures, meanValidationNats: losses.reduce((a, b) => a + b, 0) / losses.length };
};
