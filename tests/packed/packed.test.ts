import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, pack, publishedPackages, root } from './packages.ts';

const packages = publishedPackages();
const folder = mkdtempSync(join(tmpdir(), 'ostinato-packed-'));
const project = join(folder, 'project');
const tarballs = new Map<string, string>();

interface Example {
  readonly name: string;
  readonly code: string;
}

const examples: Example[] = packages.flatMap(({ folder: home }) =>
  codeBlocks(readFileSync(join(home, 'README.md'), 'utf8'), 'ts').map((code, i) => ({
    name: `${basename(home)}-${i}`,
    code,
  })),
);
examples.push(
  ...codeBlocks(readFileSync(join(root, 'README.md'), 'utf8'), 'ts').map((code, i) => ({ name: `root-${i}`, code })),
);

const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

beforeAll(() => {
  mkdirSync(project);
  for (const published of packages) tarballs.set(published.name, pack(published, folder));
  const versions = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
  const pinned = (name: string): string => versions.match(new RegExp(`^  '?${name}'?: (.*)$`, 'm'))![1]!;
  const dependencies = {
    ...Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`])),
    '@tensorflow/tfjs': pinned('@tensorflow/tfjs'),
    '@tensorflow/tfjs-core': pinned('@tensorflow/tfjs-core'),
    '@types/node': pinned('@types/node'),
    typescript: pinned('typescript'),
    vitest: pinned('vitest'),
  };
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module', dependencies }),
  );
  const compilerOptions = {
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2023', 'DOM'],
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    outDir: 'out',
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  for (const { name, code } of examples) writeFileSync(join(project, `${name}.ts`), `${code}\nexport {};\n`);
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], project);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(packages)('$name', ({ folder: home, manifest, name }) => {
  it('passes publint and arethetypeswrong', () => {
    run('npx', ['publint', '--strict', home], root);
    if (manifest.exports) run('npx', ['attw', tarballs.get(name)!, '--profile', 'esm-only'], root);
  });

  it('has a licence, a README and only built files', () => {
    const files = run('tar', ['-tzf', tarballs.get(name)!], folder)
      .trim()
      .split('\n');
    expect(files).toContain('package/README.md');
    expect(files).toContain('package/LICENSE');
    expect(files.filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
  });
});

describe('in an empty project outside the workspace', () => {
  it('has one copy of the engine', () => {
    const copies = run('npm', ['ls', '@tensorflow/tfjs-core', '--parseable', '--all'], project).trim().split('\n');
    expect(new Set(copies).size).toBe(1);
  });

  it('type-checks the code of every README', () => {
    run('npx', ['tsc', '-p', 'tsconfig.json'], project);
  });

  it.each(examples)('runs the README code $name', ({ name }) => {
    expect(existsSync(join(project, 'out', `${name}.js`))).toBe(true);
    run('node', [join('out', `${name}.js`)], project);
  });

  it('has a command line that works', () => {
    expect(run('npx', ['ostinato', '--version'], project).trim()).toMatch(/^\d+\.\d+\.\d+/);
    expect(run('npx', ['ostinato', 'engines'], project)).toContain('ostinato-cpu');
  });
});
