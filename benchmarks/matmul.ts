import '@tensorflow/tfjs-backend-wasm';
import { kernelInfo, measurePeak } from '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { jaxMatmul } from './peers/jax-js.ts';
import { pytorch } from './peers/pytorch.ts';
import { hasTfjsNode } from './peers/tfjs-node.ts';
import { type Benchmark, type Figures, fastestWithin } from './report.ts';

/** A product [batch, m, k]·[batch, k, n]; the letters of `form` say which factor is stored transposed. */
interface Product {
  readonly name: string;
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly form: 'nn' | 'nt' | 'tn' | 'tt';
}

const forms = ['nn', 'nt', 'tn', 'tt'] as const;

const square = (size: number, form: Product['form']): Product => ({
  name: `${size}³ ${form}`,
  batch: 1,
  m: size,
  k: size,
  n: size,
  form,
});

function products(quick: boolean): Product[] {
  if (quick) return forms.map(form => square(256, form));
  return [
    ...[64, 128, 256, 512, 1024, 2048].flatMap(size => forms.map(form => square(size, form))),
    { name: '64 × [128×64×128]', batch: 64, m: 128, k: 64, n: 128, form: 'nn' },
    { name: '[3200×256]·[256×4096]', batch: 1, m: 3200, k: 256, n: 4096, form: 'nn' },
    { name: '[1×1024]·[1024×4096]', batch: 1, m: 1, k: 1024, n: 4096, form: 'nn' },
  ];
}

/** Milliseconds of the product on a backend, its result disposed without being read. */
async function milliseconds(backend: string, { batch, m, k, n, form }: Product, budget: number): Promise<number> {
  await tf.setBackend(backend);
  const [transposeA, transposeB] = [form[0] === 't', form[1] === 't'];
  const rng = new Rng(1);
  const a = rng.split('a').uniform(transposeA ? [batch, k, m] : [batch, m, k]);
  const b = rng.split('b').uniform(transposeB ? [batch, n, k] : [batch, k, n]);
  const best = await fastestWithin(budget, () => tf.dispose(tf.matMul(a, b, transposeA, transposeB)));
  tf.dispose([a, b]);
  return best;
}

/** Matrix products of the sizes that sequence models have, in GFLOP/s, against stock wasm, tfjs-node if installed, jax-js and PyTorch. */
export const matmul: Benchmark = async (report, { quick }) => {
  await tf.setBackend('ostinato-cpu');
  const info = kernelInfo();
  const figures: Figures = { kernels: info as unknown as Record<string, unknown> };
  const peak = await measurePeak();
  figures['peak'] = { ...peak };
  report(
    `peak: ${peak.gigaflops.toFixed(0)} GFLOP/s in registers, ${peak.gigabytesPerSecond.toFixed(0)} GB/s copied, on ${peak.threads} threads`,
  );
  const list = products(quick);
  const ours: number[] = [];
  for (const product of list) ours.push(await milliseconds('ostinato-cpu', product, 700));
  const peer = await pytorch(
    'matmul',
    info.threads,
    list.map(({ batch, m, k, n, form }) => ({
      batch,
      m,
      k,
      n,
      transpose_a: form[0] === 't',
      transpose_b: form[1] === 't',
    })),
  );
  if ('skipped' in peer) report(peer.skipped);
  const tfjsNode = await hasTfjsNode();
  if (!tfjsNode) report('no tfjs-node: @tensorflow/tfjs-node is not installed');
  for (const [i, product] of list.entries()) {
    const { name, batch, m, k, n, form } = product;
    const operations = 2 * batch * m * k * n;
    // They take up to twenty seconds for a large transposed product.
    const isSlow = form !== 'nn' && m > 512;
    const wasm = isSlow ? null : await milliseconds('wasm', product, 300);
    const jax = isSlow ? null : await jaxMatmul(product, 300);
    const node = tfjsNode ? await milliseconds('tensorflow', product, 300) : null;
    const gigaflops = (time: number): number => operations / time / 1e6;
    const speed = (time: number | null): number | null => (time === null ? null : gigaflops(time));
    const torch = 'skipped' in peer ? null : peer.milliseconds[i]!;
    const entry = {
      gigaflops: gigaflops(ours[i]!),
      ofPeak: gigaflops(ours[i]!) / peak.gigaflops,
      stockWasmGigaflops: speed(wasm),
      jaxJsGigaflops: speed(jax),
      tfjsNodeGigaflops: speed(node),
      pytorchGigaflops: speed(torch),
      timesStockWasm: wasm === null ? null : wasm / ours[i]!,
      timesPytorch: torch === null ? null : torch / ours[i]!,
    };
    figures[name] = entry;
    const beside = { 'stock wasm': wasm, 'jax-js': jax, PyTorch: torch };
    const others = Object.entries(beside).flatMap(([peer, time]) =>
      time === null ? [] : [`${peer} ${gigaflops(time).toFixed(1)}`],
    );
    report(`${name}: ${entry.gigaflops.toFixed(1)} GFLOP/s (${others.join(', ')})`);
  }
  return figures;
};
