import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** What each package may import of the others: the arrows of the architecture, packages lower in the table first. */
const allowed: Record<string, readonly string[]> = {
  core: [],
  tokenizers: [],
  metrics: [],
  testing: ['core'],
  ops: ['core'],
  weights: ['core'],
  data: ['core'],
  decoding: ['core'],
  insight: ['core'],
  recurrent: ['core', 'ops'],
  embeddings: ['core', 'ops'],
  attention: ['core', 'ops', 'embeddings'],
  training: ['core', 'ops', 'weights'],
  'backend-cpu': ['core', 'ops'],
  backend: ['core', 'backend-cpu'],
  tasks: [
    'core',
    'ops',
    'recurrent',
    'embeddings',
    'attention',
    'training',
    'decoding',
    'data',
    'tokenizers',
    'metrics',
    'weights',
  ],
};

const packages = readdirSync(join(root, 'packages'));

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => readFileSync(join(folder, file), 'utf8'));
}

function imported(texts: readonly string[], pattern: RegExp): string[] {
  return [...new Set(texts.flatMap(text => [...text.matchAll(pattern)].map(match => match[1]!)))].sort();
}

describe('direction of dependency', () => {
  it('names every package', () => {
    expect(packages.toSorted()).toEqual(Object.keys(allowed).toSorted());
  });

  it.each(packages)('%s imports and lists only what lies below it', name => {
    const used = imported(
      sources(join(root, 'packages', name, 'src')),
      /(?:from |import |import\()'@ostinato\/([a-z-]+)/g,
    ).filter(other => other !== name);
    expect(allowed[name]).toEqual(expect.arrayContaining(used));
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    const listed = Object.keys(manifest['dependencies'] ?? {})
      .filter(other => other.startsWith('@ostinato/'))
      .map(other => other.slice(10));
    expect(listed.toSorted()).toEqual(used);
  });

  it.each(packages)('%s takes tfjs-core as a peer: two copies of the engine lose gradients', name => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    const usesTensors =
      imported(sources(join(root, 'packages', name, 'src')), /from '(@tensorflow\/tfjs-core)'/g).length > 0;
    // A peer of a dependency must be a peer again: strict installers (Yarn, pnpm) resolve it from the package that asks.
    const reachesTensors = usesTensors || manifest['dependencies']?.['@ostinato/core'] !== undefined;
    expect(manifest['dependencies']?.['@tensorflow/tfjs-core']).toBeUndefined();
    expect(manifest['peerDependencies']?.['@tensorflow/tfjs-core'] !== undefined).toBe(reachesTensors);
  });

  it.each(packages.filter(name => !name.startsWith('backend')))('%s has no side effect at import', name => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as {
      sideEffects: unknown;
    };
    expect(manifest.sideEffects).toBe(false);
    const bare = imported(sources(join(root, 'packages', name, 'src')), /^import '([^']+)'/gm);
    expect(bare).toEqual([]);
  });
});
