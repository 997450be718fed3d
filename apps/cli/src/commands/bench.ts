import { cpus } from 'node:os';
import { start } from '@ostinato/backend/node';
import { parameters, Rng, valueAndGrad } from '@ostinato/core';
import { profileStep, profileTable } from '@ostinato/insight';
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
    .option('--profile', 'instead, where the time of a training step goes, kernel by kernel', false)
    .addHelpText(
      'after',
      '\nExamples:\n  ostinato bench\n  ostinato bench --profile\n  ostinato bench --engine tfjs-cpu --json',
    )
    .action(async (options: CommonOptions & { readonly profile: boolean }) => {
      const output = createOutput(options);
      const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
      output.event({ event: 'machine', ...machine });
      output.line(`machine ${machine.processor}, ${machine.cores} cores, Node ${machine.node}`);
      const { engine } = await startEngine(output, options);
      await (options.profile ? profile(output, engine) : bench(output, engine));
    });
}

interface Network {
  readonly vocabularySize: number;
  readonly embeddingSize: number;
  readonly hiddenSize: number;
  readonly batch: number;
  readonly length: number;
}

/** Small enough for the stock JavaScript backend. */
const small: Network = { vocabularySize: 83, embeddingSize: 64, hiddenSize: 128, batch: 8, length: 32 };
/** Lab 1 of MIT's 6.S191. */
const lab: Network = { vocabularySize: 83, embeddingSize: 256, hiddenSize: 1024, batch: 4, length: 100 };
const matrixSize = 256;

const describe = ({ vocabularySize, embeddingSize, hiddenSize, batch, length }: Network): string =>
  `LSTM ${vocabularySize}/${embeddingSize}/${hiddenSize}, batch ${batch}, length ${length}`;

interface Figures {
  readonly gflops: number;
  readonly stepMilliseconds: number;
}

/** Where a step of the Lab 1 network goes; of a smaller one on engines that would take minutes. */
async function profile(output: Output, engine: string): Promise<void> {
  const own = tf.getBackend() === 'ostinato-cpu';
  const network = own ? lab : small;
  const peak = own ? await (await import('@ostinato/backend-cpu')).measurePeak() : undefined;
  const training = createTraining(network);
  const profiled = await profileStep(training.step);
  training.dispose();
  output.line(`training step of ${describe(network)}`);
  if (peak) {
    const { threads, gigaflops, gigabytesPerSecond } = peak;
    output.line(
      `peak    ${gigaflops.toFixed(0)} GFLOP/s, ${gigabytesPerSecond.toFixed(0)} GB/s on ${threads} thread${threads === 1 ? '' : 's'}, measured now`,
    );
  }
  output.line();
  output.line(profileTable(profiled, { peak }));
  output.event({ event: 'profile', engine, network, peak, ...profiled });
}

async function bench(output: Output, engine: string): Promise<void> {
  const own = await measure(2);
  await start({ prefer: ['tfjs-cpu'] });
  const stock = await measure(2);
  const matmulRatio = own.gflops / stock.gflops;
  const stepRatio = stock.stepMilliseconds / own.stepMilliseconds;
  output.line();
  output.line(
    `matrix product ${matrixSize}³     ${own.gflops.toFixed(1)} GFLOP/s, ${matmulRatio.toFixed(1)} × tfjs-cpu`,
  );
  output.line(
    `training step      ${own.stepMilliseconds.toFixed(1)} ms, ${stepRatio.toFixed(1)} × tfjs-cpu   (${describe(small)})`,
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
  const training = createTraining(small);
  const milliseconds = await fastest(seconds, training.step);
  training.dispose();
  return milliseconds;
}

/** A language model and its training step over random tokens. */
function createTraining({ batch, length, ...sizes }: Network): { step(): Promise<void>; dispose(): void } {
  const model = new LanguageModel(sizes);
  const optimizer = new Optimizer(adam({ learningRate: 5e-3 }), parameters(model));
  const draw = (): tf.Tensor => {
    const rng = new Rng(2);
    const ids = Int32Array.from({ length: batch * length }, () => rng.integer(sizes.vocabularySize));
    return tf.tensor2d(ids, [batch, length], 'int32');
  };
  const [inputs, labels] = [draw(), draw()];
  return {
    async step() {
      const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({
        loss: crossEntropy({ logits: model.call(inputs, { training: true }).logits, labels }),
      }));
      optimizer.apply(gradients);
      await value.data();
      tf.dispose([value, ...gradients.values()]);
    },
    dispose() {
      tf.dispose([inputs, labels]);
      model.dispose();
    },
  };
}
