import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parameters, Rng, valueAndGrad } from '@ostinato/core';
import { adam, Optimizer } from '@ostinato/training';
import { readTensors, writeSafetensors } from '@ostinato/weights';
import { writeFileAtomic } from '@ostinato/weights/node';
import * as tf from '@tensorflow/tfjs-core';
import { CharacterModel, type InitialWeights } from './character-model.ts';
import type { Benchmark, Figures } from './report.ts';

/**
 * Lab 1 of MIT's 6.S191 on its own tunes: vocabulary 83, embedding 256, LSTM 1024, batch 4, random windows of 100, zero state,
 * Adam 5e-3, no clipping. Mean training loss over steps 151–200, 451–500 and 951–1000, two seeds for each set of initial
 * weights, beside what PyTorch and Keras reach with theirs. LAB1_LOG names a file that gets every step, LAB1_START a folder that
 * gets each run's initial weights and windows, from which `peers/lab1.py` makes the same run in PyTorch.
 */
export const lab1: Benchmark = async (report, { quick }) => {
  const file = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'irish-abc/irish.abc');
  if (!existsSync(file)) return { skipped: `no ${file}; OSTINATO_DATA names the folder of the data` };
  const text = Array.from(readFileSync(file, 'utf8'));
  const characters = [...new Set(text)].sort();
  const ids = Int32Array.from(text, character => characters.indexOf(character));
  const sizes = { vocabulary: characters.length, embedding: 256, hidden: 1024 };
  const [batch, time, steps] = [4, 100, quick ? 200 : 1000] as const;
  const windows = (
    [
      [151, 200],
      [451, 500],
      [951, 1000],
    ] as const
  ).filter(([, last]) => last <= steps);
  const references = { ours: [1.38, 1.3, 1.13], keras: [1.97, 1.51, 1.28], lab: [1.97, 1.51, 1.28] };
  await tf.setBackend('ostinato-cpu');
  const log = process.env['LAB1_LOG'] ? createWriteStream(process.env['LAB1_LOG'], { flags: 'a' }) : null;
  const startFolder = process.env['LAB1_START'];
  const figures: Figures = {};
  const wanted = (process.env['LAB1_RUNS'] ?? 'ours-1,ours-2,keras-1,keras-2,lab-1,lab-2').split(',');
  for (const [weights, seed] of wanted.map(run => run.split('-') as [InitialWeights, string])) {
    const rng = new Rng(Number(seed));
    const model = new CharacterModel(sizes, rng.split('model'), weights);
    const optimizer = new Optimizer(adam({ learningRate: 5e-3 }), parameters(model));
    const draws = rng.split('windows');
    const windowStarts = Array.from({ length: steps }, () =>
      Array.from({ length: batch }, () => draws.integer(ids.length - time)),
    );
    if (startFolder) await saveStart(join(startFolder, `${weights}-${seed}.safetensors`), model, windowStarts);
    const losses: number[] = [];
    const start = performance.now();
    for (const starts of windowStarts) {
      const rows = (shift: number): tf.Tensor2D =>
        tf.tensor2d(
          Int32Array.from(starts.flatMap(from => [...ids.subarray(from + shift, from + shift + time)])),
          [batch, time],
          'int32',
        );
      const [inputs, targets] = [rows(0), rows(1)];
      const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({ loss: model.loss(inputs, targets) }));
      optimizer.apply(gradients);
      losses.push((await value.data())[0]!);
      await new Promise(setImmediate); // lets the log be written
      tf.dispose([inputs, targets, value, ...gradients.values()]);
      log?.write(`${weights}-${seed} ${losses.length} ${losses.at(-1)}\n`);
    }
    const seconds = (performance.now() - start) / 1000;
    const means = windows.map(
      ([first, last]) => losses.slice(first - 1, last).reduce((a, b) => a + b) / (last - first + 1),
    );
    const beside = windows.map((_, i) => `${means[i]!.toFixed(3)} (reference ${references[weights][i]})`).join(', ');
    report(`${weights} weights, seed ${seed}: ${beside}, ${seconds.toFixed(0)} s`);
    figures[`${weights}Seed${seed}`] = { means, reference: references[weights], seconds };
    optimizer.dispose();
    model.dispose();
  }
  log?.end();
  return figures;
};

/** Writes a run's initial weights, and int32 [steps, batch] where its windows begin. */
async function saveStart(path: string, model: CharacterModel, windowStarts: readonly number[][]): Promise<void> {
  const tensors = await readTensors(parameters(model));
  const windows = {
    dtype: 'I32',
    shape: [windowStarts.length, windowStarts[0]!.length],
    data: Int32Array.from(windowStarts.flat()),
  } as const;
  await writeFileAtomic(path, writeSafetensors({ tensors: tensors.set('windows', windows) }));
}
