import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

export const root: string = resolve(import.meta.dirname, '../..');

/** A package that a release publishes. */
export interface PublishedPackage {
  readonly name: string;
  readonly folder: string;
  readonly manifest: {
    readonly name: string;
    readonly exports: Record<string, unknown>;
    readonly bin?: Record<string, string>;
  };
  readonly readme: string;
}

/** Every package of the workspace that is not private. */
export function publishedPackages(): PublishedPackage[] {
  return ['packages', 'apps'].flatMap(group =>
    readdirSync(join(root, group)).flatMap(name => {
      const folder = join(root, group, name);
      const manifest = JSON.parse(
        readFileSync(join(folder, 'package.json'), 'utf8'),
      ) as PublishedPackage['manifest'] & { private?: boolean };
      const readme = readFileSync(join(folder, 'README.md'), 'utf8');
      return manifest.private ? [] : [{ name: manifest.name, folder, manifest, readme }];
    }),
  );
}

/** Runs a program in `cwd`; when it fails, the error shows what it printed. */
export function run(command: string, args: readonly string[], cwd: string): string {
  // The workspace's programs are started with NODE_PATH, which would let a stranger's project find the workspace's packages.
  const { NODE_PATH: _, ...env } = process.env;
  try {
    return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${basename(command)} ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
  }
}

/** A program that the workspace brings. */
export const tool = (name: string): string => join(root, 'node_modules/.bin', name);

/** The version of a package that the workspace's catalog names. */
export function pinned(name: string): string {
  const versions = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
  return versions.match(new RegExp(`^  '?${name}'?: (.*)$`, 'm'))![1]!;
}

/** Packs packages, all unless `filters` says otherwise, as a release would; the tarballs' paths by the packages' names. */
export function pack(
  destination: string,
  filters: readonly string[] = ['./packages/*', './apps/*'],
): Map<string, string> {
  const command = ['-y', 'pnpm@10.34.9', '-r', ...filters.flatMap(filter => ['--filter', filter])];
  const printed = run('npx', [...command, 'pack', '--json', '--pack-destination', destination], root);
  const packed = JSON.parse(printed) as { name: string; filename: string }[];
  return new Map(packed.map(({ name, filename }) => [name, filename]));
}

/** Packs the native kernels for this machine; undefined where there is no compiler. */
export function packNative(destination: string): string | undefined {
  const script = join(root, 'packages/backend-cpu/scripts/pack-native.ts');
  return run(tool('tsx'), [script, destination], root).trim() || undefined;
}

/** The fenced blocks of one language in a Markdown text. */
export function codeBlocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(match => match[1]!);
}

/** The packages that some code imports, without Node's own. */
export function importedPackages(code: string): string[] {
  const specifiers = [...code.matchAll(/^(?:import|export) (?:[^;']*? from )?'([^']+)'/gm)].map(match => match[1]!);
  const names = specifiers
    .filter(specifier => !specifier.startsWith('node:'))
    .map(specifier =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    );
  return [...new Set(names)];
}
