import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelInfo } from '@ostinato/backend-cpu';
import { parameters, Rng, valueAndGrad } from '@ostinato/core';
import { softmaxCrossEntropy } from '@ostinato/ops';
import { adamw, chain, clipByGlobalNorm, cosine, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark, Figures } from './report.ts';
import { gptSizes, smallGpt } from './transformer-models.ts';

/**
 * nanoGPT's CPU configuration on the works of Shakespeare, character by character: batch 12, block 64, no dropout, AdamW (1e-3, by a
 * cosine to 1e-4, warm-up 100; β₂ 0.99, decay 0.1 on matrices, norm clipped to 1). Its README reports 1.88 nats of validation loss after
 * 2,000 steps, on 20 batches; here the loss is that of the whole last tenth of the text, in blocks of 64.
 */
export const shakespeare: Benchmark = async (report, { quick }) => {
  const file = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'tinyshakespeare/input.txt');
  if (!existsSync(file)) return { skipped: `no ${file}; OSTINATO_DATA names the folder of the data` };
  const text = Array.from(readFileSync(file, 'utf8'));
  const characters = [...new Set(text)].sort();
  const places = new Map(characters.map((character, i) => [character, i]));
  const ids = Int32Array.from(text, character => places.get(character)!);
  const border = Math.floor(0.9 * ids.length);
  const [training, validation] = [ids.subarray(0, border), ids.subarray(border)];
  const { block } = gptSizes;
  const [batch, steps, warmup] = [12, quick ? 200 : 2000, 100];
  await tf.setBackend('ostinato-cpu');
  const seed = Number(process.env['SHAKESPEARE_SEED'] ?? 1);
  const rng = new Rng(seed);
  const model = smallGpt(rng.split('model'));
  const decay = cosine({ rate: 1e-3, steps: steps - warmup, minimum: 1e-4 });
  const learningRate = (step: number): number =>
    step < warmup ? (1e-3 * (step + 1)) / (warmup + 1) : decay(step - warmup);
  const own = parameters(model);
  const optimizer = new Optimizer(
    chain(
      clipByGlobalNorm(1),
      adamw({ learningRate, beta2: 0.99, weightDecay: 0.1, mask: path => own.get(path)!.rank === 2 }),
    ),
    own,
  );
  /** Mean loss of the blocks that begin at `starts`, in nats per character. */
  const lossOf = (source: Int32Array, starts: readonly number[]): tf.Tensor => {
    const rows = (from: number): tf.Tensor => {
      const values = starts.map(start => source.subarray(start + from, start + from + block));
      return tf.tensor2d(Int32Array.from(values.flatMap(row => [...row])), [starts.length, block], 'int32');
    };
    return softmaxCrossEntropy({ logits: model.call(rows(0)), labels: rows(1) });
  };
  const validate = (): number => {
    const blocks = Math.floor((validation.length - 1) / block);
    let sum = 0;
    for (let first = 0; first < blocks; first += 64) {
      const starts = Array.from({ length: Math.min(64, blocks - first) }, (_, i) => (first + i) * block);
      sum += starts.length * tf.tidy(() => lossOf(validation, starts).dataSync()[0]!);
    }
    return sum / blocks;
  };

  const draw = rng.split('batches');
  const curve: Record<string, number> = {};
  const begin = performance.now();
  for (let step = 1; step <= steps; step++) {
    const starts = Array.from({ length: batch }, () => draw.integer(training.length - block));
    const { value, gradients } = valueAndGrad(own, () => ({ loss: lossOf(training, starts) }));
    optimizer.apply(gradients);
    tf.dispose([value, ...gradients.values()]);
    if (step % 250 === 0 || step === steps) {
      const nats = validate();
      curve[step] = nats;
      report(`step ${step}: ${nats.toFixed(4)} nats, ${((performance.now() - begin) / 1000).toFixed(0)} s`);
    }
  }
  const seconds = (performance.now() - begin) / 1000;
  optimizer.dispose();
  const size = [...own.values()].reduce((sum, variable) => sum + variable.size, 0);
  model.dispose();
  const figures: Figures = { kernels: kernelInfo() as unknown as Record<string, unknown> };
  return { ...figures, seed, parameters: size, steps, seconds, validationNats: curve[steps]!, curve };
};
