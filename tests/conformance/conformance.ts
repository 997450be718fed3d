import { ResourceError } from '@ostinato/core';
import { type Comparison, compareOutcomes, describeFailure } from './compare.ts';
import type { Outcome } from './events.ts';
import { type PlaceName, places } from './places.ts';
import { runSpecs, type SpecRun } from './run.ts';
import { specFiles } from './spec-files.ts';
import type { Variant } from './variants.ts';

const stockCpu = { backend: new URL('./backends/stock-cpu.ts', import.meta.url), options: {} };

/** The stock backend passes more specs than this in every place; fewer means that the suite was not found, not that all is well. */
const leastSpecs = 4000;

/** What came of one variant. */
type VariantReport = { readonly name: string } & (
  | { readonly missing: string }
  | (Comparison & { readonly engine: string; readonly seconds: number })
);

/** What came of all of them. `skipped` counts the specs that do not pass on the stock `cpu` backend either. */
export interface ConformanceReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly variants: readonly VariantReport[];
}

export interface ConformanceOptions {
  readonly variants: Readonly<Record<string, Variant>>;
  /** Parts of the paths of spec files; all files without any. */
  readonly filters: readonly string[];
  /** Is given each line of the report. */
  readonly print: (line: string) => void;
  /** Seconds that one spec may take. */
  readonly patience?: number;
}

/**
 * Runs the specs of tfjs-core on every variant, and on the stock `cpu` backend once in each place that they need, and compares
 * spec by spec.
 *
 * @throws ArgumentError when a filter matches no file; ResourceError when the specs cannot run on the stock backend, or are
 * suspiciously few
 */
export async function checkConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { filters, print } = options;
  const files = specFiles(filters);
  const stockRuns = new Map<PlaceName, readonly Outcome[]>();
  const reports: VariantReport[] = [];
  const run = (label: string, variant: Variant): Promise<SpecRun> =>
    runSpecs(files, variant, { ...options, onSpec: progressOf(label) });
  const skip = (name: string, missing: string): void => {
    print(`${name} skipped: ${missing}`);
    reports.push({ name, missing });
  };

  for (const [name, variant] of Object.entries(options.variants)) {
    const { place } = variant;
    const { missing } = places[place];
    if (missing !== undefined) {
      skip(name, missing);
      continue;
    }
    const ours = await run(name, variant);
    if (ours.missing !== undefined) {
      skip(name, ours.missing);
      continue;
    }
    if (!stockRuns.has(place)) {
      const stock = await run(`stock cpu backend (${place})`, { ...stockCpu, place });
      checkStock(stock, place, filters.length === 0 ? leastSpecs : 1);
      stockRuns.set(place, stock.outcomes);
    }
    const { outcomes, engine, seconds } = ours;
    const comparison = compareOutcomes(stockRuns.get(place)!, outcomes);
    reports.push({ name, engine, seconds, ...comparison });
    printVariant(name, engine, comparison, print);
  }
  return { ...countAll(reports), variants: reports };
}

/** Shows on a terminal how far a run has come. */
function progressOf(label: string): (done: number, total: number) => void {
  const start = performance.now();
  return (done, total) => {
    if (!process.stderr.isTTY || (done % 50 !== 0 && done < total)) return;
    const rate = (1000 * done) / (performance.now() - start);
    process.stderr.write(done < total ? `\r\x1b[K${label}: ${done}/${total} specs, ${rate.toFixed(0)}/s` : '\r\x1b[K');
  };
}

function checkStock({ outcomes, endedEarly }: SpecRun, place: PlaceName, least: number): void {
  const passed = outcomes.filter(({ status }) => status === 'passed').length;
  if (passed >= least && endedEarly === undefined) return;
  throw new ResourceError({
    where: 'conformance',
    rule: `the stock cpu backend must pass the specs (${place})`,
    expected: `at least ${least} of them`,
    got: `${passed}${endedEarly === undefined ? '' : `, then ${endedEarly}`}`,
  });
}

/** Specs that did not run share a line: there may be thousands after one that did not end. */
function printVariant(name: string, engine: string, comparison: Comparison, print: (line: string) => void): void {
  const missing = comparison.failed.filter(({ status }) => status === 'missing');
  for (const outcome of comparison.failed) {
    if (outcome.status !== 'missing') print(`FAILED ${name}: ${describeFailure(outcome)}`);
  }
  if (missing.length > 0) {
    print(`FAILED ${name}: ${missing.length} specs did not run, the first of them ${describeFailure(missing[0]!)}`);
  }
  const { passed, failed, skipped } = comparison;
  print(`${name} (${engine}): ${passed} passed, ${failed.length} failed, ${skipped} skipped`);
}

function countAll(reports: readonly VariantReport[]): Pick<ConformanceReport, 'passed' | 'failed' | 'skipped'> {
  const ran = reports.flatMap(report => ('missing' in report ? [] : [report]));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    passed: sum(ran.map(({ passed }) => passed)),
    failed: sum(ran.map(({ failed }) => failed.length)),
    skipped: sum(ran.map(({ skipped }) => skipped)),
  };
}
