// Three threads of one process, each with a backend of two threads of its own, at work at the same time; a fourth is ended in the
// midst of it. Prints what each has computed and how many workers are left, and ends by itself.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-core';
import { OstinatoCpuBackend } from '../../src/index.ts';

/** TypeScript is not loaded in workers by itself. */
const startOfWorker = `
  const { program } = require('node:worker_threads').workerData;
  import('tsx/esm/api').then(({ register }) => { register(); return import(program); });`;

let workers = 0;
process.on('worker', worker => {
  workers++;
  worker.on('exit', () => workers--);
});

const wait = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds));

/** The bits of a product, `rounds` times, on two threads; throws when one round differs from the first. */
async function work(seed: number, rounds: number): Promise<string> {
  const backend = new OstinatoCpuBackend({ threads: 2, maximumPages: 2048 });
  const name = `isolated-${seed}`;
  tf.registerBackend(name, () => backend);
  tf.copyRegisteredKernels('ostinato-cpu', name);
  await tf.setBackend(name);
  while (backend.team.threadsFor(1e9) < 2) await wait(2);
  const a = tf.randomUniform([120, 130], -1, 1, 'float32', seed) as tf.Tensor2D;
  const b = tf.randomUniform([130, 140], -1, 1, 'float32', seed + 1) as tf.Tensor2D;
  let first: string | undefined;
  for (let round = 0; round < rounds; round++) {
    const product = tf.matMul(a, b);
    const bits = Buffer.from(product.dataSync().buffer).toString('base64');
    product.dispose();
    first ??= bits;
    if (bits !== first) throw new Error(`thread ${seed}, round ${round}: other bits`);
    if (round % 20 === 0) await new Promise(setImmediate);
  }
  tf.removeBackend(name);
  return first!;
}

if (isMainThread) {
  const inWorker = (seed: number, rounds: number): { worker: Worker; result: Promise<string> } => {
    const worker = new Worker(startOfWorker, { eval: true, workerData: { seed, rounds, program: import.meta.url } });
    const result = new Promise<string>((resolve, reject) => {
      worker.on('message', resolve).on('error', reject);
    });
    return { worker, result };
  };
  const seeds = [1, 3, 5];
  const alone: string[] = [];
  for (const seed of seeds) alone.push(await work(seed, 1));
  const killed = inWorker(7, 1e9);
  const others = [inWorker(1, 400), inWorker(3, 400)];
  const ended = wait(300).then(() => killed.worker.terminate());
  const together = await Promise.all([...others.map(({ result }) => result), work(5, 400)]);
  await ended;
  for (let i = 0; i < 500 && workers > 0; i++) await wait(10);
  const same = together.map((bits, i) => bits === alone[i]);
  process.stdout.write(JSON.stringify({ same, different: new Set(together).size, workers }));
} else {
  const { seed, rounds } = workerData as { seed: number; rounds: number };
  parentPort!.postMessage(await work(seed, rounds));
}
