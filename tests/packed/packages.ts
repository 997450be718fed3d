import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

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

/** Packs all packages as a release would; returns the tarballs' paths by the packages' names. */
export function packAll(destination: string): Map<string, string> {
  const filters = ['--filter', './packages/*', '--filter', './apps/*'];
  const printed = execFileSync(
    'npx',
    ['-y', 'pnpm@10.34.9', '-r', ...filters, 'pack', '--json', '--pack-destination', destination],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const packed = JSON.parse(printed) as { name: string; filename: string }[];
  return new Map(packed.map(({ name, filename }) => [name, filename]));
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
