// npx tsx apps/cli/scripts/build-messages.ts: writes data/messages.tsv, the messages of the TypeScript compiler in English and French,
// from the package `typescript` (Apache-2.0), which has both.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const read = (path: string): string => readFileSync(require.resolve(`typescript/${path}`), 'utf8');

const longest = { english: 90, french: 130 };
const french = JSON.parse(read('lib/fr/diagnosticMessages.generated.json')) as Record<string, string>;
const table = /diag\(\s*\d+,\s*\d+\s*(?:\/\*[^*]*\*\/)?,\s*"([^"]+)",\s*("(?:[^"\\]|\\.)*")/g;
const rows = new Set<string>();
for (const [, key, literal] of read('lib/typescript.js').matchAll(table)) {
  const pair = { english: JSON.parse(literal!) as string, french: french[key!] };
  if (!pair.french || pair.english.length > longest.english || pair.french.length > longest.french) continue;
  const row = `${pair.english}\t${pair.french}`;
  if (!/[\n\r]/.test(row) && row.split('\t').length === 2) rows.add(row);
}
writeFileSync(new URL('../data/messages.tsv', import.meta.url), `english\tfrench\n${[...rows].join('\n')}\n`);
process.stdout.write(`${rows.size} pairs\n`);
