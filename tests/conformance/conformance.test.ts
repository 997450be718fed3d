// The comparison notices what it is for; the whole suite is `pnpm conformance`.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { bundleSpecs, specFiles } from './bundle.ts';
import { compare, type SpecResult } from './outcome.ts';

const spec = (name: string, status = 'passed'): SpecResult => ({
  name,
  status,
  message: status === 'passed' ? '' : 'why',
});

async function run(backendName: string, preparation = ''): Promise<SpecResult[]> {
  const bundle = await bundleSpecs({ backendName, files: specFiles('ops/softmax'), platform: 'node', preparation });
  const script = new URL('specs.ts', import.meta.url).pathname;
  const options = { maxBuffer: 2 ** 26, timeout: 60_000 };
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, bundle], options);
  const lines = stdout.split('\n').filter(line => line.startsWith('{"name":'));
  return lines.map(line => JSON.parse(line) as SpecResult);
}

describe('comparison with the stock backend', () => {
  it('fails specs that differ, and leaves out what the stock backend fails or has alone', () => {
    const stock = [spec('a'), spec('b'), spec('c'), spec('d', 'failed'), spec('twice'), spec('twice')];
    const ours = [spec('a'), spec('b', 'failed'), spec('d'), spec('twice', 'failed'), spec('twice')];
    const { passed, failed, skipped } = compare(stock, ours);
    expect(passed).toBe(1);
    expect(failed.map(({ name, status }) => `${name} ${status}`)).toEqual(['b failed', 'twice failed']);
    expect(skipped).toBe(2);
  });

  it("passes tfjs-core's specs of softmax, and finds a kernel that is broken", { timeout: 120_000 }, async () => {
    const broken = `
      import { registerKernel, unregisterKernel, getKernel } from '@tensorflow/tfjs-core';
      unregisterKernel('Softmax', 'ostinato-cpu');
      registerKernel({ kernelName: 'Softmax', backendName: 'ostinato-cpu', kernelFunc: getKernel('Tanh', 'cpu').kernelFunc });`;
    const [stock, ours, wrong] = await Promise.all([run('cpu'), run('ostinato-cpu'), run('ostinato-cpu', broken)]);
    expect(compare(stock, ours)).toMatchObject({ passed: stock.length, failed: [], skipped: 0 });
    expect(stock.length).toBeGreaterThan(5);
    expect(compare(stock, wrong).failed.length).toBeGreaterThan(2);
  });
});
