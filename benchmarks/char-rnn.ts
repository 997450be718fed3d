import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { kernelInfo } from '@ostinato/backend-cpu';
import { stepFlops, trainingStep } from './character-model.ts';
import { besidePytorch, pytorch } from './peers/pytorch.ts';
import { tfjsLayersStepByExtrapolation } from './peers/tfjs-layers.ts';
import type { Benchmark, Figures } from './report.ts';

const sizes = { vocabulary: 83, embedding: 256, hidden: 1024 };
const time = 100;

/**
 * One training step of the Lab 1 network (vocabulary 83, embedding 256, LSTM 1024, T 100) with batch 32 and 4: ours against
 * tfjs-layers on the better of the stock wasm and cpu backends, and PyTorch where there is one.
 */
export const charRnn: Benchmark = async (report, { quick }) => {
  const figures: Figures = { kernels: kernelInfo() as unknown as Record<string, unknown> };
  for (const batch of quick ? [4] : [32, 4]) {
    await tf.setBackend('ostinato-cpu');
    let launches = 0;
    const beside = await besidePytorch(
      quick ? 1 : 3,
      async () => {
        const step = await trainingStep(sizes, [batch, time], quick ? 2 : 5);
        launches = step.launches;
        return [step.milliseconds];
      },
      () => pytorch('char_rnn', kernelInfo().threads, [{ ...sizes, batch, time }]),
    );
    const milliseconds = beside.ours[0]!;
    const tokens = batch * time;
    const gigaflops = stepFlops(sizes, tokens) / milliseconds / 1e6;
    report(
      `batch ${batch}: ostinato-cpu ${milliseconds.toFixed(0)} ms, ${((1000 * tokens) / milliseconds).toFixed(0)} tokens/s, ${gigaflops.toFixed(1)} GFLOP/s, ${launches} kernel launches; ${beside.words[0]}`,
    );
    await tf.setBackend('wasm');
    const wasm = await tfjsLayersStepByExtrapolation({ ...sizes, batch, time }, batch > 8 ? [2, 6] : [10, 30], 3);
    report(
      `batch ${batch}: tfjs-layers on wasm ${wasm.toFixed(0)} ms (from shorter windows: at T 100 it runs out of memory)`,
    );
    await tf.setBackend('cpu');
    const cpu = quick
      ? Infinity
      : await tfjsLayersStepByExtrapolation({ ...sizes, batch, time }, batch > 8 ? [2, 6] : [5, 15], 2);
    if (!quick) report(`batch ${batch}: tfjs-layers on cpu ${cpu.toFixed(0)} ms (from shorter windows)`);
    const ratio = Math.min(wasm, cpu) / milliseconds;
    report(`batch ${batch}: ${ratio.toFixed(1)} times faster than the better of them`);
    const torch = beside.theirs?.[0] ?? null;
    Object.assign(figures, {
      [`batch${batch}Milliseconds`]: milliseconds,
      [`batch${batch}TokensPerSecond`]: (1000 * tokens) / milliseconds,
      [`batch${batch}Gigaflops`]: gigaflops,
      [`batch${batch}KernelLaunches`]: launches,
      [`batch${batch}TfjsLayersWasmMilliseconds`]: wasm,
      [`batch${batch}TfjsLayersCpuMilliseconds`]: quick ? null : cpu,
      [`batch${batch}Ratio`]: ratio,
      [`batch${batch}PytorchMilliseconds`]: torch,
      [`batch${batch}OfPytorchTime`]: torch === null ? null : milliseconds / torch,
    });
  }
  return figures;
};
