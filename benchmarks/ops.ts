import '@tensorflow/tfjs-backend-wasm';
import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { pytorch } from './peers/pytorch.ts';
import { type Benchmark, type Figures, fastest, fastestWithin } from './report.ts';

/** Bytes that an operation moves per element of its result. */
const operations: Record<string, { readonly bytes: number; run(x: tf.Tensor, y: tf.Tensor): tf.Tensor }> = {
  add: { bytes: 12, run: (x, y) => tf.add(x, y) },
  tanh: { bytes: 8, run: x => tf.tanh(x) },
  exp: { bytes: 8, run: x => tf.exp(x) },
};

async function milliseconds(backend: string, operation: string, size: number): Promise<number> {
  await tf.setBackend(backend);
  const rng = new Rng(1);
  const [x, y] = [rng.split('x').normal([size]), rng.split('y').normal([size])];
  const best = await fastestWithin(500, () => tf.dispose(operations[operation]!.run(x, y)));
  tf.dispose([x, y]);
  return best;
}

/** What adding 10 floats costs, the disposal of the sum included: the mean of many calls, the least of several such means. */
async function microsecondsPerCall(backend: string): Promise<number> {
  await tf.setBackend(backend);
  const [x, y] = [tf.ones([10]), tf.ones([10])];
  const calls = 20_000;
  const best = await fastest(10, () => {
    for (let i = 0; i < calls; i++) tf.add(x, y).dispose();
  });
  tf.dispose([x, y]);
  return (1000 * best) / calls;
}

/** Elementwise operations in GB/s beside a copy of as much memory, and what calling one costs at all (10 floats). */
export const ops: Benchmark = async (report, { quick }) => {
  await tf.setBackend('ostinato-cpu');
  const info = kernelInfo();
  const figures: Figures = { kernels: info as unknown as Record<string, unknown> };
  const size = quick ? 2 ** 18 : 2 ** 24;
  const source = new Float32Array(size);
  const target = new Float32Array(size);
  const copy = (8 * size) / (await fastestWithin(500, () => target.set(source))) / 1e6;
  figures['copyGigabytesPerSecond'] = copy;
  report(`copy of ${(4 * size) / 2 ** 20} MiB: ${copy.toFixed(1)} GB/s`);
  const names = Object.keys(operations);
  const peer = await pytorch(
    'elementwise',
    info.threads,
    names.map(operation => ({ operation, size })),
  );
  if ('skipped' in peer) report(peer.skipped);
  for (const [i, name] of names.entries()) {
    const rate = (time: number): number => (operations[name]!.bytes * size) / time / 1e6;
    const [ours, wasm] = [await milliseconds('ostinato-cpu', name, size), await milliseconds('wasm', name, size)];
    const torch = 'skipped' in peer ? null : peer.milliseconds[i]!;
    figures[name] = {
      gigabytesPerSecond: rate(ours),
      ofCopy: rate(ours) / copy,
      timesStockWasm: wasm / ours,
      timesPytorch: torch === null ? null : torch / ours,
    };
    const beside = torch === null ? '' : `, PyTorch ${rate(torch).toFixed(1)}`;
    report(`${name}: ${rate(ours).toFixed(1)} GB/s (stock wasm ${rate(wasm).toFixed(1)}${beside})`);
  }
  const calls: Record<string, number> = {};
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    for (const backend of ['ostinato-cpu', 'wasm', 'cpu']) {
      calls[backend] = Math.min(calls[backend] ?? Infinity, await microsecondsPerCall(backend));
    }
  }
  for (const [backend, time] of Object.entries(calls)) report(`10-float add on ${backend}: ${time.toFixed(2)} µs`);
  figures['microsecondsPerCall'] = calls;
  return figures;
};
