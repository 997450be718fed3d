// @ostinato/backend-cpu by itself, as a user of tfjs-layers installs it: the packed tarballs in an empty project. One LSTM trains
// in Node, in a worker of it, from a bundle, and in Chromium from Vite, from a plain module script and in a Web Worker.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumFlags, chromiumMissing, chromiumPath } from '../browser/chromium.ts';
import { serve } from '../browser/serve.ts';
import { pack, packNative, pinned, run, tool } from './packages.ts';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-engine-'));
const project = join(folder, 'project');
const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
let native: string | undefined;

/** Sentiment of short "reviews" by word numbers, as the IMDB example of tfjs-layers: which of two kinds of words come more often. */
const program = `
import * as tf from '@tensorflow/tfjs-core';
import { kernelInfo } from '@ostinato/backend-cpu';
import * as layers from '@tensorflow/tfjs-layers';

export async function train(backend = 'ostinato-cpu') {
  await tf.setBackend(backend);
  let state = 1;
  const random = limit => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % 65521 % limit;
  const reviews = Array.from({ length: 64 }, () => Array.from({ length: 20 }, () => random(100)));
  const labels = reviews.map(words => [Number(words.filter(word => word < 50).length > 10)]);
  const seed = number => layers.initializers.glorotUniform({ seed: number });
  const model = layers.sequential({ layers: [
    layers.layers.embedding({ inputDim: 100, outputDim: 16, inputLength: 20, embeddingsInitializer: seed(1) }),
    layers.layers.lstm({ units: 16, kernelInitializer: seed(2), recurrentInitializer: seed(3) }),
    layers.layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: seed(4) }),
  ] });
  model.compile({ optimizer: tf.train.adam(0.02), loss: 'binaryCrossentropy', metrics: ['accuracy'] });
  const options = { epochs: 5, batchSize: 16, shuffle: false, verbose: 0, yieldEvery: 'never' };
  const { history } = await model.fit(tf.tensor2d(reviews), tf.tensor2d(labels), options);
  const losses = history.loss.map(Number);
  if (backend !== 'ostinato-cpu') return { losses };
  const { team } = tf.backend();
  for (let i = 0; i < 200 && team.threadsFor(1e9) < team.wanted; i++) await new Promise(done => setTimeout(done, 10));
  const arrived = team.threadsFor(1e9);
  const [product] = tf.matMul(tf.ones([200, 200]), tf.ones([200, 200])).dataSync();
  const { level, reason, threads } = kernelInfo();
  return { losses, level, reason, threads, arrived, product };
}`;

interface Trained {
  readonly losses: number[];
  readonly level: string;
  readonly reason: string;
  readonly threads: number;
  /** Threads that took part in the product. */
  readonly arrived: number;
  readonly product: number;
}

const files: Readonly<Record<string, string>> = {
  'train.js': program,
  'main.js': "import { train } from './train.js';\nconsole.log(JSON.stringify(await train(process.argv[2])));",
  'thread.js': `
    import { Worker } from 'node:worker_threads';
    const source = "import('./train.js').then(({ train }) => train()).then(result => require('worker_threads').parentPort.postMessage(result))";
    new Worker(source, { eval: true }).on('message', result => console.log(JSON.stringify(result)));`,
  'bundle.js': "import { train } from './train.js';\ntrain().then(result => console.log(JSON.stringify(result)));",
  'index.html':
    '<!doctype html><meta charset="utf-8"><title>Vite</title><script type="module" src="/page.js"></script>',
  'page.js': `
    import { train } from './train.js';
    window.trainHere = train;
    window.trainInWorker = () => new Promise((done, fail) => {
      const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
      worker.onmessage = ({ data }) => done(data);
      worker.onerror = ({ message }) => fail(new Error(message));
      worker.postMessage('train');
    });`,
  'worker.js': "import { train } from './train.js';\nonmessage = async () => postMessage(await train());",
};

/** The page of the README: no bundler, files as the packages bring them. */
const plainPage = `<!doctype html><meta charset="utf-8"><title>Plain</title>
<script type="importmap">
{ "imports": {
  "@tensorflow/tfjs-core": "/node_modules/@tensorflow/tfjs-core/dist/tf-core.fesm.min.js",
  "@tensorflow/tfjs-layers": "/node_modules/@tensorflow/tfjs-layers/dist/tf-layers.fesm.min.js",
  "@ostinato/backend-cpu": "/node_modules/@ostinato/backend-cpu/page/backend-cpu.js"
} }
</script>
<script type="module">import { train } from './train.js'; window.trainHere = train;</script>`;

let stock: number[];

beforeAll(() => {
  mkdirSync(project);
  const tarballs = pack(folder, ['@ostinato/backend-cpu', '@ostinato/core']);
  native = packNative(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  writeFileSync(join(project, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
  const layers = `@tensorflow/tfjs-layers@${pinned('@tensorflow/tfjs')}`;
  const packages = [layers, ...tarballs.values(), ...(native === undefined ? [] : [native])];
  run('npm', ['install', ...quiet, ...packages], project);
  ({ losses: stock } = JSON.parse(run('node', ['main.js', 'cpu'], project)) as Trained);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** It learns, as on the stock backend, and the threads that there are have worked. */
function expectTrained({ losses, product, threads, arrived }: Trained): void {
  expect(losses.at(-1)).toBeLessThan(0.75 * losses[0]!);
  for (const [epoch, loss] of losses.entries()) expect(loss).toBeCloseTo(stock[epoch]!, 4);
  expect(product).toBe(200);
  expect(arrived).toBe(threads);
}

const inNode = (...args: string[]): Trained => JSON.parse(run('node', args, project)) as Trained;
const nativeLevels = /^(avx512|avx2|neon)$/;

/** A processor without AVX2 refuses for good; anything else that refuses a library that was just built is a fault. */
function expectNative({ level, reason }: Trained): void {
  if (native !== undefined && !reason.includes('this processor or system lacks')) expect(level).toMatch(nativeLevels);
  else expect(level).toMatch(/simd$/);
}

describe('in Node', () => {
  it('trains, on native kernels where there is a compiler', () => {
    const trained = inNode('main.js');
    expectTrained(trained);
    expectNative(trained);
  });

  it('trains in a worker thread', () => {
    const trained = inNode('thread.js');
    expectTrained(trained);
    expectNative(trained);
  });

  it('trains from one file that esbuild made', () => {
    const options = ['--bundle', '--platform=node', '--format=cjs', '--log-level=error', '--outfile=bundled.cjs'];
    run(tool('esbuild'), ['bundle.js', ...options], project);
    const trained = inNode('bundled.cjs');
    expectTrained(trained);
    expectNative(trained);
  });

  it('trains without its optional dependencies, and says what is not there', () => {
    const modules = join(project, 'node_modules');
    const lean = mkdtempSync(join(folder, 'lean-'));
    for (const name of ['main.js', 'train.js']) writeFileSync(join(lean, name), files[name]!);
    const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { dependencies: object };
    const isNative = ([name]: [string, unknown]): boolean => name.startsWith('@ostinato/kernels-');
    const dependencies = Object.fromEntries(Object.entries(manifest.dependencies).filter(entry => !isNative(entry)));
    writeFileSync(join(lean, 'package.json'), JSON.stringify({ ...manifest, dependencies }));
    run('npm', ['install', '--omit=optional', ...quiet], lean);
    expect(readdirSync(modules)).toContain('koffi');
    expect(readdirSync(join(lean, 'node_modules'))).not.toContain('koffi');
    const trained = JSON.parse(run('node', ['main.js'], lean)) as Trained;
    expectTrained(trained);
    expect(trained.level).toMatch(/simd$/);
    expect(trained.reason).toMatch(/the package koffi, .* cannot be loaded|no native code for/);
  });
});

describe.skipIf(chromiumMissing !== undefined && !process.env['CI'])('in Chromium', () => {
  let browser: Browser;

  /** Calls a function of a page; fails when the page asks for a file that is not there, or complains. */
  async function inPage(
    read: (path: string) => string | Buffer | undefined,
    isolated: boolean,
    call: 'trainHere' | 'trainInWorker',
  ): Promise<Trained> {
    const server = await serve(read, { isolated });
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', error => complaints.push(String(error)));
    page.on('console', message => {
      if (message.type() === 'error' && !message.text().includes('favicon')) complaints.push(message.text());
    });
    try {
      await page.goto(server.origin);
      const begun = page.waitForFunction(`typeof ${call} === 'function'`, undefined, { timeout: 60_000 });
      await begun.catch(error => expect.fail(`${error}\n${complaints.join('\n')}`));
      const trained = (await page.evaluate(`${call}()`)) as Trained;
      expect(complaints.filter(text => !text.includes('404'))).toEqual([]);
      expect(server.missing).toEqual([]);
      return trained;
    } finally {
      await page.close();
      server.close();
    }
  }

  const fileIn = (home: string) => (path: string) => {
    try {
      return readFileSync(join(home, path));
    } catch {
      return undefined;
    }
  };
  const built = (): ((path: string) => Buffer | undefined) => fileIn(join(project, 'dist'));
  const plain = (path: string): string | Buffer | undefined =>
    path === '/index.html' ? plainPage : fileIn(project)(path);

  beforeAll(async () => {
    run(tool('vite'), ['build', '--logLevel', 'error'], project);
    browser = await chromium.launch({ executablePath: chromiumPath, args: [...chromiumFlags] });
  });

  afterAll(() => browser?.close());

  it('gets no byte of native code from Vite, and one copy of the kernels for the page and for its worker', () => {
    const assets = join(project, 'dist/assets');
    const texts = readdirSync(assets).map(name => readFileSync(join(assets, name), 'utf8'));
    expect(texts.length).toBe(2);
    for (const word of ['koffi', 'uintptr_t', 'processor_level', '@ostinato/kernels']) {
      expect(texts.filter(text => text.includes(word)).length, word).toBe(0);
    }
  });

  it.each([
    ['a page', false, 'trainHere'],
    ['a cross-origin isolated page', true, 'trainHere'],
    ['a worker of a cross-origin isolated page', true, 'trainInWorker'],
  ] as const)('trains from Vite in %s', async (_, isolated, call) => {
    const trained = await inPage(built(), isolated, call);
    expectTrained(trained);
    expect(trained.level).toBe('relaxed-simd');
    if (!isolated) expect(trained.threads).toBe(1);
  });

  it.each([false, true])('trains in a plain module script, isolated: %s', async isolated => {
    const trained = await inPage(plain, isolated, 'trainHere');
    expectTrained(trained);
    expect(trained.level).toBe('relaxed-simd');
  });
});
