import { kernelInfo } from '@ostinato/backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { stepFlops, trainingStep } from './character-model.ts';
import { besidePytorch, pytorch } from './peers/pytorch.ts';
import type { Benchmark, Figures } from './report.ts';

const networks = [
  { name: 'GRU 512, batch 32', cell: 'gru', hidden: 512, batch: 32 },
  { name: 'RNN 512, batch 32', cell: 'rnn', hidden: 512, batch: 32 },
  { name: 'LSTM 256, batch 64', cell: 'lstm', hidden: 256, batch: 64 },
] as const;
const [vocabulary, embedding] = [83, 256];

/** One training step of the network of `char-rnn` with other layers (vocabulary 83, embedding 256, T 100), against PyTorch. */
export const recurrent: Benchmark = async (report, { quick }) => {
  await tf.setBackend('ostinato-cpu');
  const info = kernelInfo();
  const figures: Figures = { kernels: info as unknown as Record<string, unknown> };
  const time = quick ? 10 : 100;
  const shapes = networks.map(({ cell, hidden, batch }) => ({ cell, vocabulary, embedding, hidden, batch, time }));
  const launches: number[] = [];
  const beside = await besidePytorch(
    quick ? 1 : 3,
    async () => {
      const times = [];
      for (const [i, { batch, ...sizes }] of shapes.entries()) {
        const step = await trainingStep(sizes, [batch, time], 10);
        launches[i] = step.launches;
        times.push(step.milliseconds);
      }
      return times;
    },
    () => pytorch('char_rnn', info.threads, shapes),
  );
  for (const [i, { name }] of networks.entries()) {
    const milliseconds = beside.ours[i]!;
    const gigaflops = stepFlops(shapes[i]!, shapes[i]!.batch * time) / milliseconds / 1e6;
    const torch = beside.theirs?.[i] ?? null;
    figures[name] = {
      milliseconds,
      gigaflops,
      kernelLaunches: launches[i]!,
      pytorchMilliseconds: torch,
      ofPytorchTime: torch === null ? null : milliseconds / torch,
    };
    report(`${name}: ${milliseconds.toFixed(1)} ms, ${gigaflops.toFixed(0)} GFLOP/s; ${beside.words[i]}`);
  }
  return figures;
};
