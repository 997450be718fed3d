// The packages that bring native code to each platform, and what a release refuses to pack.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { unfitNative } from '../scripts/check-native.ts';
import { zigTargets } from '../scripts/compile-native.ts';
import { sourceHash } from '../scripts/sources.ts';

const home = join(import.meta.dirname, '..');
const read = (file: string) => JSON.parse(readFileSync(join(home, file), 'utf8'));
const targets = Object.keys(zigTargets);
const folder = mkdtempSync(join(tmpdir(), 'ostinato-packages-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the packages of native kernels', () => {
  it('are optional dependencies of the backend, one for each target, in exactly its version', () => {
    const { optionalDependencies, files } = read('package.json');
    const listed = Object.entries(optionalDependencies).filter(([name]) => name !== 'koffi');
    expect(listed).toEqual(targets.map(target => [`@ostinato/kernels-${target}`, 'workspace:*']).sort());
    expect(readdirSync(join(home, 'native')).sort()).toEqual([...targets].sort());
    expect(files).not.toContain('native');
  });

  it.each(targets)('%s is for that platform only, and brings its libraries and nothing else', target => {
    const [platform, arch] = target.split('-');
    const manifest = read(`native/${target}/package.json`);
    const { version, repository, license } = read('package.json');
    const extension = { linux: 'so', darwin: 'dylib', win32: 'dll' }[platform!];
    expect(manifest).toMatchObject({
      name: `@ostinato/kernels-${target}`,
      version,
      license,
      repository: { ...repository, directory: `packages/backend-cpu/native/${target}` },
      files: [`*.${extension}`, 'manifest.json', 'CHANGELOG.md'],
      // Only when packed: a clone on another platform links all of them.
      publishConfig: { os: [platform], cpu: [arch] },
    });
    expect(manifest.exports ?? manifest.main).toBeUndefined();
    expect(readFileSync(join(home, 'native', target, 'README.md'), 'utf8')).toContain(`native --target ${target}\``);
  });
});

describe('packing', () => {
  const pretend = (change: (manifest: Record<string, unknown>) => void = () => {}): string => {
    const place = join(folder, 'linux-x64');
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
    const libraries = ['v4', 'v3'].map(variant => ({ file: `kernels-${variant}.so`, variant, sha256: 'other' }));
    const manifest = { target: 'linux-x64', sources: sourceHash, libraries };
    change(manifest);
    for (const { file } of libraries) cpSync(import.meta.filename, join(place, file));
    writeFileSync(join(place, 'manifest.json'), JSON.stringify(manifest));
    return place;
  };

  it('refuses what is not built, stale, incomplete or changed', () => {
    expect(unfitNative(join(folder, 'nowhere'))).toBe('nothing is built');
    expect(unfitNative(pretend(manifest => Object.assign(manifest, { sources: 'x' })))).toBe(
      'built from other sources',
    );
    const one = [{ file: 'kernels-v3.so', variant: 'v3', sha256: '' }];
    expect(unfitNative(pretend(manifest => Object.assign(manifest, { libraries: one })))).toBe(
      'holds v3, expected v4 v3',
    );
    expect(unfitNative(pretend())).toBe('kernels-v4.so is not the file that was built');
    const place = pretend();
    rmSync(join(place, 'kernels-v4.so'));
    expect(unfitNative(place)).toBe('kernels-v4.so is missing');
  });
});
