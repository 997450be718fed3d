// pnpm conformance [VARIANT …] [--files TEXT] [--json]: tfjs-core's own op specs on this engine. Every spec that the stock cpu
// backend passes must pass, with no list of exceptions. Exit code 1 when one does not.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { bundleSpecs, specFiles } from './bundle.ts';
import { compare, type SpecResult } from './outcome.ts';

interface Variant {
  readonly backendName: string;
  /** Options of Node and variables of its environment. */
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const [major] = process.versions.node.split('.').map(Number) as [number];
const wasm = { OSTINATO_NATIVE: 'off' };
// Node 20 has relaxed SIMD behind a flag, later versions always.
const relaxed: readonly string[] = major < 22 ? ['--experimental-wasm-relaxed-simd'] : [];

/** The engine as it can be here. A clone has native kernels after `pnpm native`; without them that variant is WebAssembly again. */
const variants: Readonly<Record<string, Variant>> = {
  ...(major < 22 ? { simd: { backendName: 'ostinato-cpu', environment: { ...wasm, OSTINATO_THREADS: '1' } } } : {}),
  relaxed: { backendName: 'ostinato-cpu', nodeOptions: relaxed, environment: { ...wasm, OSTINATO_THREADS: '1' } },
  'relaxed-2-threads': {
    backendName: 'ostinato-cpu',
    nodeOptions: relaxed,
    environment: { ...wasm, OSTINATO_THREADS: '2' },
  },
  native: { backendName: 'ostinato-cpu', environment: { OSTINATO_THREADS: '1' } },
  'native-2-threads': { backendName: 'ostinato-cpu', environment: { OSTINATO_THREADS: '2' } },
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { files: { type: 'string', default: '' }, json: { type: 'boolean', default: false } },
});
const unknown = positionals.find(name => variants[name] === undefined);
if (unknown !== undefined) {
  console.error(`conformance: unknown variant '${unknown}', expected some of ${Object.keys(variants).join(', ')}.`);
  process.exit(2);
}

async function run({ backendName, nodeOptions = [], environment = {} }: Variant, name: string): Promise<SpecResult[]> {
  const bundle = await bundleSpecs({ backendName, files: specFiles(options.files), platform: 'node' });
  const args = [...nodeOptions, '--import', 'tsx', new URL('specs.ts', import.meta.url).pathname, bundle];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const results: SpecResult[] = [];
  const start = performance.now();
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{"name":')) continue;
    results.push(JSON.parse(line) as SpecResult);
    if (process.stderr.isTTY && results.length % 50 === 0) {
      const rate = (1000 * results.length) / (performance.now() - start);
      process.stderr.write(`\r${name}: ${results.length} specs, ${rate.toFixed(0)}/s `);
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (child.exitCode === null) await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`conformance: the run of ${name} ended with exit code ${child.exitCode}.`);
  return results;
}

const stock = await run({ backendName: 'cpu' }, 'stock cpu backend');
const stockPassed = stock.filter(({ status }) => status === 'passed').length;
if (stockPassed === 0) {
  console.error(
    `conformance: no spec passed on the stock cpu backend, of ${stock.length} with --files '${options.files}'.`,
  );
  process.exit(1);
}
const totals = { passed: 0, failed: 0, skipped: 0 };
for (const name of positionals.length > 0 ? positionals : Object.keys(variants)) {
  const { passed, failed, skipped } = compare(stock, await run(variants[name]!, name));
  for (const { name: spec, status, message } of failed) console.log(`${name}: ${spec}: ${status}: ${message}`);
  totals.passed += passed;
  totals.failed += failed.length;
  totals.skipped += skipped;
  const line = { variant: name, passed, failed: failed.length, skipped };
  console.log(
    options.json ? JSON.stringify(line) : `${name}: ${passed} passed, ${failed.length} failed, ${skipped} skipped`,
  );
}
const { passed, failed, skipped } = totals;
console.log(
  options.json
    ? JSON.stringify(totals)
    : `${passed} passed, ${failed} failed, ${skipped} skipped (not passing on the stock cpu backend, or for it alone)`,
);
process.exit(failed > 0 ? 1 : 0);
