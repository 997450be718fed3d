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
    readonly version: string;
    readonly exports?: Record<string, unknown>;
    readonly bin?: Record<string, string>;
  };
}

/** Every package of the workspace that is not private. */
export function publishedPackages(): PublishedPackage[] {
  return ['packages', 'apps'].flatMap(group =>
    readdirSync(join(root, group)).flatMap(name => {
      const folder = join(root, group, name);
      const manifest = JSON.parse(
        readFileSync(join(folder, 'package.json'), 'utf8'),
      ) as PublishedPackage['manifest'] & { private?: boolean };
      return manifest.private ? [] : [{ name: manifest.name, folder, manifest }];
    }),
  );
}

/** Packs a package as pnpm would publish it; returns the tarball's path. */
export function pack({ folder }: PublishedPackage, destination: string): string {
  const printed = execFileSync('npx', ['-y', 'pnpm@10.34.9', 'pack', '--json', '--pack-destination', destination], {
    cwd: folder,
    encoding: 'utf8',
  });
  return (JSON.parse(printed) as { filename: string }).filename;
}

/** The fenced blocks of one language in a Markdown text. */
export function codeBlocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(match => match[1]!);
}
