import { kernelInfo } from '@ostinato/backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { stepFlops, trainingStep } from './character-model.ts';
import { pytorch } from './peers/pytorch.ts';
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
  const ours = [];
  for (const { batch, ...sizes } of shapes) ours.push(await trainingStep(sizes, [batch, time], 10));
  const peer = await pytorch('char_rnn', info.threads, shapes);
  if ('skipped' in peer) report(peer.skipped);
  for (const [i, { name }] of networks.entries()) {
    const { milliseconds, launches } = ours[i]!;
    const gigaflops = stepFlops(shapes[i]!, shapes[i]!.batch * time) / milliseconds / 1e6;
    const torch = 'skipped' in peer ? null : peer.milliseconds[i]!;
    figures[name] = {
      milliseconds,
      gigaflops,
      kernelLaunches: launches,
      pytorchMilliseconds: torch,
      ofPytorchTime: torch === null ? null : milliseconds / torch,
    };
    const beside =
      torch === null ? '' : `, PyTorch ${torch.toFixed(1)} ms, ours takes ${(milliseconds / torch).toFixed(2)} of that`;
    report(`${name}: ${milliseconds.toFixed(1)} ms, ${gigaflops.toFixed(0)} GFLOP/s${beside}`);
  }
  return figures;
};
