/**
 * `prepack` of the packages in `native/`: refuses to pack one without libraries, or with libraries of other sources, so that no
 * release has an empty one.
 */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { builtFor } from '../src/native-file.ts';
import { variantsOf } from './compile-native.ts';
import { sourceHash } from './sources.ts';

/** Why the folder of a target cannot be packed; undefined when it can. */
export function unfitNative(folder: string): string | undefined {
  const target = basename(folder);
  const file = join(folder, 'manifest.json');
  if (!existsSync(file)) return 'nothing is built';
  const { sources, libraries } = JSON.parse(readFileSync(file, 'utf8')) as {
    sources: string;
    libraries: { file: string; variant: string; sha256: string }[];
  };
  if (sources !== sourceHash) return 'built from other sources';
  const variants = libraries.map(({ variant }) => variant).join(' ');
  if (variants !== variantsOf(target).join(' ')) return `holds ${variants}, expected ${variantsOf(target).join(' ')}`;
  for (const { file: library, sha256 } of libraries) {
    const path = join(folder, library);
    if (!existsSync(path)) return `${library} is missing`;
    const bytes = readFileSync(path);
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) return `${library} is not the file that was built`;
    if (builtFor(bytes) !== target) return `${library} is for ${builtFor(bytes)}`;
  }
  return undefined;
}

if (process.argv[1] === import.meta.filename) {
  const reason = unfitNative(process.cwd());
  if (reason !== undefined) {
    const target = basename(process.cwd());
    console.error(`@ostinato/kernels-${target} cannot be packed: ${reason}. Run \`pnpm native --target ${target}\`.`);
    process.exit(1);
  }
}
