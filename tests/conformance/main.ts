// pnpm conformance [VARIANT …] [--files TEXT …] [--json]: tfjs-core's own op specs on this engine, in every variant or the named
// ones. Every spec that the stock cpu backend passes in the same place must pass, with no list of exceptions. TEXT is a part of
// the path of a spec file, as in `ops/mat_mul`. Exit code 1 when a spec does not pass.
import { parseArgs } from 'node:util';
import { checkChoice, isOstinatoError } from '@ostinato/core';
import { checkConformance } from './conformance.ts';
import { variants } from './variants.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { files: { type: 'string', multiple: true, default: [] }, json: { type: 'boolean', default: false } },
});

try {
  const all = Object.keys(variants);
  for (const name of positionals) checkChoice('conformance', 'variant', name, all);
  const chosen = Object.fromEntries(
    Object.entries(variants).filter(([name]) => positionals.length === 0 || positionals.includes(name)),
  );
  const print = options.json ? console.error : console.log;
  const report = await checkConformance({ variants: chosen, filters: options.files, print });
  const { passed, failed, skipped } = report;
  if (options.json) console.log(JSON.stringify({ node: process.version, ...report }));
  else {
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped (not passing on the stock cpu backend either)`);
  }
  process.exitCode = failed > 0 ? 1 : 0;
} catch (error) {
  if (!isOstinatoError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
