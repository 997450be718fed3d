// Threads of @ostinato/backend-cpu in a cross-origin isolated page: one that is lost gives an error and never a hang, also on the
// page's own thread, which cannot sleep; where workers are forbidden there is one thread.
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumFlags, chromiumMissing, chromiumPath } from './chromium.ts';
import { serve, type TestServer } from './serve.ts';

const program = `
import * as tf from '@tensorflow/tfjs-core';
import { OstinatoCpuBackend } from '@ostinato/backend-cpu';

const workers = globalThis.startedWorkers = [];
globalThis.Worker = class extends Worker {
  constructor(...args) { super(...args); workers.push(this); }
};
const backend = new OstinatoCpuBackend({ threads: 2, maximumPages: 1024 });
tf.registerBackend('mine', () => backend);
tf.copyRegisteredKernels('ostinato-cpu', 'mine');
await tf.setBackend('mine');
const wait = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
globalThis.arrived = async () => {
  for (let i = 0; i < 300 && backend.team.threadsFor(1e9) < 2; i++) await wait(10);
  return backend.team.threadsFor(1e9);
};
// A recurrence, whose threads wait for each other in the middle of the kernel.
const [batch, time, width, hidden] = [32, 4, 64, 128];
globalThis.recurrence = () => tf.tidy(() => {
  try {
    const [output] = tf.engine().runKernel('OstinatoLstm', {
      input: tf.ones([batch, time, width]),
      inputWeight: tf.zeros([width, 4 * hidden]),
      recurrentWeight: tf.zeros([hidden, 4 * hidden]),
      bias: tf.ones([4 * hidden]),
      initialHidden: tf.zeros([batch, hidden]),
      initialCell: tf.zeros([batch, hidden]),
      projection: tf.tensor1d([]),
      lengths: tf.tensor1d([], 'int32'),
    }, { reverse: false });
    return output.dataSync()[0].toFixed(4);
  } catch (error) {
    return error.message;
  }
});
globalThis.patience = seconds => { backend.team.patience = seconds; };
// Chromium gives a worker that does not listen two seconds more.
globalThis.loseThread = async () => { workers.at(-1).terminate(); await wait(2500); };
globalThis.end = () => { tf.setBackend('cpu'); tf.removeBackend('mine'); };
globalThis.begun = true;`;

/** σ(1)·tanh(σ(1)·tanh(1)) */
const expected = '0.3696';

interface Controls {
  begun?: boolean;
  startedWorkers: unknown[];
  arrived(): Promise<number>;
  recurrence(): string;
  patience(seconds: number): void;
  loseThread(): Promise<void>;
  end(): void;
}

describe.skipIf(chromiumMissing !== undefined && !process.env['CI'])('threads in a page', () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: { contents: program, resolveDir: import.meta.dirname },
      ...{ bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2022' },
      ...{ conditions: ['@ostinato/source'], logLevel: 'error' },
    });
    const page = '<!doctype html><title>Threads</title><script type="module" src="/program.js"></script>';
    const forbidding = `<!doctype html><meta http-equiv="Content-Security-Policy" content="worker-src 'none'">${page}`;
    const files: Readonly<Record<string, string>> = {
      ...{ '/index.html': page, '/forbidding.html': forbidding },
      '/program.js': outputFiles[0]!.text,
    };
    server = await serve(path => files[path], { isolated: true });
    browser = await chromium.launch({ executablePath: chromiumPath, args: [...chromiumFlags] });
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function open(path: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`${server.origin}${path}`);
    await page.waitForFunction(() => (globalThis as unknown as Controls).begun);
    return page;
  }

  it('a lost one gives an error, then there are new ones', async () => {
    const page = await open('/');
    const call = async (name: 'arrived' | 'recurrence' | 'loseThread'): Promise<unknown> =>
      page.evaluate(async name => (globalThis as unknown as Controls)[name](), name);
    expect(await call('arrived')).toBe(2);
    expect(await call('recurrence')).toBe(expected);
    await page.evaluate(() => (globalThis as unknown as Controls).patience(1));
    await call('loseThread');
    expect(await call('recurrence')).toMatch(/a thread of the 2 that ran this kernel was lost/);
    expect(await call('arrived')).toBe(2);
    expect(await call('recurrence')).toBe(expected);
    expect(await page.evaluate(() => (globalThis as unknown as Controls).startedWorkers.length)).toBe(2);
    expect(page.workers()).toHaveLength(1);
    await page.evaluate(() => (globalThis as unknown as Controls).end());
    await expect.poll(() => page.workers().length, { timeout: 5000 }).toBe(0);
    await page.close();
  });

  it('are one where the page forbids workers', async () => {
    const page = await open('/forbidding.html');
    const values = await page.evaluate(async () => {
      const { recurrence } = globalThis as unknown as Controls;
      const values: string[] = [];
      for (let i = 0; i < 8; i++) {
        values.push(recurrence());
        await new Promise(resolve => setTimeout(resolve, 100));
      }
      return values;
    });
    expect(values).toEqual(Array.from({ length: 8 }, () => expected));
    expect(await page.evaluate(() => (globalThis as unknown as Controls).startedWorkers.length)).toBeLessThan(4);
    await page.close();
  });
});
