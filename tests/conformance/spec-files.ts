import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ArgumentError } from '@ostinato/core';

const require = createRequire(import.meta.url);

const folder = join(dirname(require.resolve('@tensorflow/tfjs-core/package.json')), 'dist');
const ending = '_test.js';

/**
 * The spec files that come with tfjs-core, without their ending, as in `ops/mat_mul`; of these, the ones whose path contains
 * one of `filters`, if there are any.
 *
 * @throws ArgumentError when a filter is in no path
 */
export function specFiles(filters: readonly string[]): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith(ending))
    .map(path => path.replaceAll('\\', '/'))
    .sort();
  for (const filter of filters) {
    if (paths.some(path => path.includes(filter))) continue;
    throw new ArgumentError({
      where: 'conformance',
      rule: 'a filter must be part of the path of a spec file of tfjs-core',
      expected: "the like of 'ops/mat_mul' or 'optimizers'",
      got: `'${filter}'`,
    });
  }
  const chosen = paths.filter(path => filters.length === 0 || filters.some(filter => path.includes(filter)));
  return chosen.map(path => path.slice(0, -ending.length));
}
