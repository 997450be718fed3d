/**
 * The C sources of the kernels: their text, their hash, and the signatures of the functions that they export.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** Folder of this package. */
export const packageRoot: URL = new URL('..', import.meta.url);

const folder = new URL('kernels/', packageRoot);

/** Text of every C file by its name. */
export const sources: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(folder)
    .filter(name => /\.[ch]$/.test(name))
    .sort()
    .map(name => [name, readFileSync(new URL(name, folder), 'utf8')]),
);

/** One value of the sources; a library that was built from others is stale. */
export const sourceHash: string = createHash('sha256').update(JSON.stringify(sources)).digest('hex');

/** Kinds of scalars, as `koffi` calls them. */
const scalars: Readonly<Record<string, string>> = {
  int: 'int',
  unsigned: 'uint',
  usize: 'size_t',
  float: 'float',
  double: 'double',
  void: 'void',
};

function kindOf(declaration: string, where: string): string {
  if (declaration.includes('*')) return 'address';
  const type = declaration.trim().split(/\s+/)[0]!;
  const kind = scalars[type];
  if (kind === undefined) throw new Error(`${where}: no kind for '${declaration.trim()}'; see scripts/sources.ts.`);
  return kind;
}

/** The kernels' signatures by name, each `result argument argument …`. */
export function signatures(): Record<string, string> {
  const table: Record<string, string> = {};
  for (const [file, text] of Object.entries(sources)) {
    if (!file.endsWith('.c') || file === 'processor.c') continue;
    for (const [, result, name, list] of text.matchAll(/^EXPORT (\w+) (\w+)\(([^)]*)\) \{/gm)) {
      const where = `${file}, ${name}`;
      const parameters = list === 'void' ? [] : list!.split(',').map(parameter => kindOf(parameter, where));
      table[name!] = [kindOf(result!, where), ...parameters].join(' ');
    }
    const exported = text.match(/^EXPORT /gm)?.length ?? 0;
    const parsed = text.match(/^EXPORT (\w+) (\w+)\(([^)]*)\) \{/gm)?.length ?? 0;
    if (exported !== parsed) throw new Error(`${file}: ${exported - parsed} exported functions do not read as such.`);
  }
  return table;
}
