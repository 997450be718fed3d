import { cpus } from 'node:os';
import { start } from '@ostinato/backend/node';
import { parameters, Rng, valueAndGrad } from '@ostinato/core';
import { LanguageModel } from '@ostinato/tasks/language-modeling';
import { adam, crossEntropy, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import type { Command } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { createOutput, type Output } from '../output.ts';

/** `ostinato bench`: this machine in two figures, and how they compare with the stock JavaScript backend. */
export function addBench(root: Command): void {
  withCommonOptions(root.command('bench'))
    .description('how fast this machine computes, and the ratio to stock TensorFlow.js in plain JavaScript')
    .addHelpText('after', '\nExamples:\n  ostinato bench\n  ostinato bench --engine tfjs-cpu --json')
    .action(async (options: CommonOptions) => bench(createOutput(options), options));
}

const network = { vocabularySize: 83, embeddingSize: 64, hiddenSize: 128, batch: 8, length: 32 } as const;
const matrixSize = 256;

interface Figures {
  readonly gflops: number;
  readonly stepMilliseconds: number;
}

async function bench(output: Output, options: CommonOptions): Promise<void> {
  const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  output.event({ event: 'machine', ...machine });
  output.line(`machine ${machine.processor}, ${machine.cores} cores, Node ${machine.node}`);
  const { engine } = await startEngine(output, options);
  const own = await measure(2);
  await start({ prefer: ['tfjs-cpu'] });
  const stock = await measure(2);
  const matmulRatio = own.gflops / stock.gflops;
  const stepRatio = stock.stepMilliseconds / own.stepMilliseconds;
  output.line();
  output.line(
    `matrix product ${matrixSize}³     ${own.gflops.toFixed(1)} GFLOP/s, ${matmulRatio.toFixed(1)} × tfjs-cpu`,
  );
  const { vocabularySize, embeddingSize, hiddenSize, batch, length } = network;
  const shape = `LSTM ${vocabularySize}/${embeddingSize}/${hiddenSize}, batch ${batch}, length ${length}`;
  output.line(
    `training step      ${own.stepMilliseconds.toFixed(1)} ms, ${stepRatio.toFixed(1)} × tfjs-cpu   (${shape})`,
  );
  output.event({ event: 'result', engine, ...own, stock, matmulRatio, stepRatio });
}

/** Best of several rounds of `seconds` each: on a busy machine the minimum is what it can do. */
async function fastest(seconds: number, work: () => Promise<void>): Promise<number> {
  await work(); // compile, allocate
  let best = Infinity;
  const end = performance.now() + 1000 * seconds;
  for (let round = 0; round < 3 || performance.now() < end; round++) {
    const begin = performance.now();
    await work();
    best = Math.min(best, performance.now() - begin);
  }
  return best;
}

async function measure(seconds: number): Promise<Figures> {
  const rng = new Rng(1);
  const a = rng.normal([matrixSize, matrixSize]) as tf.Tensor2D;
  const b = rng.normal([matrixSize, matrixSize]) as tf.Tensor2D;
  const productMilliseconds = await fastest(seconds, async () => {
    const product = tf.matMul(a, b);
    await product.data();
    product.dispose();
  });
  tf.dispose([a, b]);
  return { gflops: (2 * matrixSize ** 3) / productMilliseconds / 1e6, stepMilliseconds: await trainingStep(seconds) };
}

async function trainingStep(seconds: number): Promise<number> {
  const { batch, length, ...sizes } = network;
  const model = new LanguageModel(sizes);
  const optimizer = new Optimizer(adam({ learningRate: 5e-3 }), parameters(model));
  const draw = (): tf.Tensor => {
    const rng = new Rng(2);
    const ids = Int32Array.from({ length: batch * length }, () => rng.integer(sizes.vocabularySize));
    return tf.tensor2d(ids, [batch, length], 'int32');
  };
  const [inputs, labels] = [draw(), draw()];
  const milliseconds = await fastest(seconds, async () => {
    const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({
      loss: crossEntropy({ logits: model.call(inputs, { training: true }).logits, labels }),
    }));
    optimizer.propose(gradients).commit();
    await value.data();
    tf.dispose([value, ...gradients.values()]);
  });
  tf.dispose([inputs, labels]);
  model.dispose();
  return milliseconds;
}
