// The whole suite on the faster WebAssembly build, and the runner on a few spec files; all builds, threads and places: `pnpm conformance`.
import { describe, expect, it } from 'vitest';
import { chromiumMissing } from '../browser/chromium.ts';
import type { Fault } from './backends/faulty.ts';
import { compareOutcomes, describeFailure } from './compare.ts';
import { type ConformanceReport, checkConformance } from './conformance.ts';
import type { Outcome } from './events.ts';
import { specFiles } from './spec-files.ts';
import { type Variant, variants } from './variants.ts';

const relaxed = variants['relaxed']!;
const faulty = (fault: Fault): Variant => ({
  place: 'node',
  backend: new URL('./backends/faulty.ts', import.meta.url),
  options: { fault, level: 'relaxed-simd', threads: 1 },
});

/** Runs spec files on a variant: the report, and its lines. */
async function check(
  variant: Variant,
  filters: readonly string[],
  patience = 30,
): Promise<{ report: ConformanceReport; lines: string[] }> {
  const lines: string[] = [];
  const print = (line: string): number => lines.push(line);
  const report = await checkConformance({ variants: { checked: variant }, filters, print, patience });
  return { report, lines };
}

const inChromium = chromiumMissing === undefined || process.env['CI'] ? ['page', 'worker-2-threads'] : [];

describe('checkConformance', { timeout: 120_000 }, () => {
  it.each(['simd', 'relaxed-2-threads', ...inChromium])('passes a part of the suite: %s', async name => {
    const { report, lines } = await check(variants[name]!, ['ops/mat_mul', 'ops/softmax']);
    expect(report).toMatchObject({ passed: 87, failed: 0, skipped: 0 });
    expect(lines[0]).toContain(name === 'simd' ? '(simd, 1 thread' : '(relaxed-simd, ');
    expect(lines[0]).toContain(name.endsWith('2-threads') ? '2 threads' : '1 thread');
  });

  it('passes the whole suite', async () => {
    const { report, lines } = await check(relaxed, []);
    expect(lines.filter(line => line.startsWith('FAILED'))).toEqual([]);
    expect(report.passed).toBeGreaterThan(4000);
  });

  it('finds a kernel that computes something else, and names the specs with what they say', async () => {
    const { report, lines } = await check(faulty('subtracts'), ['ops/add_test']);
    expect(report.failed).toBeGreaterThan(10);
    expect(report.passed).toBeGreaterThan(0);
    const failures = lines.filter(line => line.startsWith('FAILED checked: ops/add: '));
    expect(failures).toHaveLength(report.failed);
    expect(failures.join('\n')).toMatch(/A \+ B: Error: Arrays differ: actual\[0\] = -2, expected\[0\] = 6\./);
  });

  it.each([
    ['never ends', 6, 'no spec ended within 6 s'],
    ['ends the process', 30, 'Node ended before its specs did, got exit code 3'],
  ] as const)(
    'fails the spec whose kernel %s, and the ones that do not run after it',
    async (fault, patience, reason) => {
      const { report, lines } = await check(faulty(fault), ['ops/add_test'], patience);
      expect(report).toMatchObject({ passed: 0, skipped: 0 });
      expect(report.failed).toBeGreaterThan(20);
      expect(lines[0]).toContain(`FAILED checked: ops/add: add cpu {} c + A: `);
      expect(lines[0]).toContain(reason);
      const others = `^FAILED checked: ${report.failed - 1} specs did not run, the first of them `;
      expect(lines[1]).toMatch(new RegExp(others));
    },
  );

  it('skips a variant that cannot run here, with the reason', async () => {
    const { report, lines } = await check({ ...relaxed, options: { level: 'abacus', threads: 1 } }, ['ops/add_test']);
    expect(report).toMatchObject({ passed: 0, failed: 0 });
    expect(lines).toEqual([expect.stringMatching(/^checked skipped: .*SIMD/)]);
  });

  it('refuses a filter that is in no path, and a suite without a spec that passes', async () => {
    await expect(check(relaxed, ['ops/add', 'matmul'])).rejects.toThrow(
      "conformance: a filter must be part of the path of a spec file of tfjs-core, expected the like of 'ops/mat_mul' or 'optimizers', got 'matmul'.",
    );
    await expect(check(relaxed, ['ops/identity_pool'])).rejects.toThrow(
      'conformance: the stock cpu backend must pass the specs (node), expected at least 1 of them, got 0.',
    );
  });
});

describe('specFiles', () => {
  it('finds all that tfjs-core ships', () => {
    expect(specFiles([]).length).toBeGreaterThan(250);
    expect(specFiles(['ops/mat_mul', 'optimizers/s'])).toEqual(['ops/mat_mul', 'optimizers/sgd_optimizer']);
  });
});

describe('compareOutcomes', () => {
  const outcome = (name: string, status: string, message = ''): Outcome => ({ file: 'ops/a', name, status, message });

  it('wants every spec to pass that passes on the stock backend, and no other', () => {
    const stock = [outcome('a', 'passed'), outcome('b', 'passed'), outcome('c', 'failed'), outcome('d', 'pending')];
    const ours = [outcome('a', 'passed'), outcome('b', 'pending'), outcome('c', 'passed'), outcome('d', 'failed')];
    expect(compareOutcomes(stock, ours)).toEqual({ passed: 1, failed: [outcome('b', 'pending')], skipped: 2 });
  });

  it('tells specs of one name apart by their order', () => {
    const stock = [outcome('a', 'passed'), outcome('a', 'failed')];
    expect(compareOutcomes(stock, [outcome('a', 'failed', 'no'), outcome('a', 'passed')])).toEqual({
      passed: 0,
      failed: [outcome('a', 'failed', 'no')],
      skipped: 1,
    });
  });

  it('counts what did not run and what fails only here', () => {
    const { passed, failed } = compareOutcomes([outcome('a', 'passed')], [outcome('b (outside its specs)', 'failed')]);
    expect(passed).toBe(0);
    expect(failed.map(({ name, status }) => [name, status])).toEqual([
      ['a', 'missing'],
      ['b (outside its specs)', 'failed'],
    ]);
  });

  it('puts a failure on one line', () => {
    expect(describeFailure(outcome('a', 'failed', 'one\n  two'))).toBe('ops/a: a: one two');
    expect(describeFailure(outcome('a', 'pending'))).toBe('ops/a: a: pending');
    expect(describeFailure(outcome('a', 'failed', 'x'.repeat(1000)))).toHaveLength(311);
  });
});
