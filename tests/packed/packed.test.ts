import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, importedPackages, pack, pinned, publishedPackages, root, run, tool } from './packages.ts';

const packages = publishedPackages();
const folder = mkdtempSync(join(tmpdir(), 'ostinato-packed-'));
const project = join(folder, 'project');
let tarballs = new Map<string, string>();

interface Example {
  readonly name: string;
  readonly code: string;
}

const examplesIn = (name: string, markdown: string): Example[] =>
  codeBlocks(markdown, 'ts').map((code, i) => ({ name: `${name}-${i}`, code }));

const examples: Example[] = [
  ...packages.flatMap(({ folder: home, readme }) => examplesIn(basename(home), readme)),
  ...examplesIn('root', readFileSync(join(root, 'README.md'), 'utf8')),
  ...readdirSync(join(root, 'docs/course'))
    .filter(name => name.endsWith('.md'))
    .flatMap(name =>
      examplesIn(`course-${basename(name, '.md')}`, readFileSync(join(root, 'docs/course', name), 'utf8')),
    ),
];

beforeAll(() => {
  mkdirSync(project);
  tarballs = pack(folder);
  const others = ['@tensorflow/tfjs', '@tensorflow/tfjs-core', '@types/node'];
  const dependencies = Object.fromEntries([
    ...[...tarballs].map(([name, file]) => [name, `file:${file}`]),
    ...others.map(name => [name, pinned(name)]),
  ]);
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module', dependencies }),
  );
  const compilerOptions = {
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2023', 'DOM'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: '.',
    outDir: 'out',
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  for (const { name, code } of examples) writeFileSync(join(project, `${name}.ts`), `${code}\nexport {};\n`);
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], project);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(packages)('$name', ({ folder: home, name, manifest, readme }) => {
  it('passes publint and arethetypeswrong', () => {
    run(tool('publint'), [tarballs.get(name)!, '--strict'], root);
    const forImport = Object.keys(manifest.exports).some(path => path !== './package.json');
    if (forImport) run(tool('attw'), [tarballs.get(name)!, '--profile', 'esm-only'], root);
  });

  it('has a licence, a README and only files built from the present sources', () => {
    const files = run('tar', ['-tzf', tarballs.get(name)!], folder)
      .trim()
      .split('\n');
    expect(files).toContain('package/README.md');
    expect(files).toContain('package/LICENSE');
    expect(files.filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    const sourceOf = (file: string): string => join(home, file.replace('package/dist/', 'src/').replace(/js$/, 'ts'));
    const built = files.filter(file => file.startsWith('package/dist/') && file.endsWith('.js'));
    expect(built.filter(file => !existsSync(sourceOf(file)))).toEqual([]); // left over: delete dist, build again
  });

  it('names in its README what the code there needs installed', () => {
    const needed = importedPackages(codeBlocks(readme, 'ts').join('\n'));
    const line = readme.match(/npm install .*/)?.[0] ?? '';
    expect(line.split(/\s+/)).toEqual(expect.arrayContaining(needed));
  });
});

describe('in an empty project outside the workspace', () => {
  it('has one copy of the engine', () => {
    const copies = run('npm', ['ls', '@tensorflow/tfjs-core', '--parseable', '--all'], project).trim().split('\n');
    expect([...new Set(copies)]).toEqual([expect.stringMatching(/node_modules.@tensorflow.tfjs-core$/)]);
  });

  it('imports every entry point', () => {
    const entries = packages.flatMap(({ name, manifest }) =>
      Object.keys(manifest.exports).flatMap(path => (path === './package.json' ? [] : [name + path.slice(1)])),
    );
    writeFileSync(join(project, 'entries.js'), entries.map(entry => `import '${entry}';\n`).join(''));
    run('node', ['entries.js'], project);
  });

  it('type-checks the code of every README and of the course', () => {
    run(tool('tsc'), ['-p', project], project);
  });

  it('has no error in declaration files of its own; those of TensorFlow.js have some', () => {
    let said = '';
    try {
      run(tool('tsc'), ['-p', project, '--noEmit', '--skipLibCheck', 'false'], project);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said.split('\n').filter(line => /^node_modules\/(@ostinato|@observablehq)/.test(line))).toEqual([]);
  });

  it.each(examples)('runs the example $name', ({ name }) => {
    run('node', [join('out', `${name}.js`)], project);
  });

  it('has a command line that works', () => {
    const ostinato = join(project, 'node_modules/.bin/ostinato');
    expect(run(ostinato, ['--version'], project).trim()).toMatch(/^\d+\.\d+\.\d+/);
    expect(run(ostinato, ['engines'], project)).toContain('ostinato-cpu');
  });
});

describe('bundled for a page', () => {
  const bundle = (name: string, code: string): string => {
    writeFileSync(join(project, `${name}.js`), code);
    const outfile = join(project, 'out', `${name}.bundle.mjs`);
    const options = ['--bundle', '--minify', '--format=esm', '--platform=browser', '--log-level=error'];
    run(tool('esbuild'), [`${name}.js`, ...options, `--outfile=${outfile}`], project);
    return outfile;
  };

  it('has the engine, its gradients and one TensorFlow.js', () => {
    const file = bundle(
      'page',
      `import { start } from '@ostinato/backend/browser';
       import { parameters, Rng, valueAndGrad } from '@ostinato/core';
       import { LSTM } from '@ostinato/recurrent';
       import * as tf from '@tensorflow/tfjs-core';
       const { backend } = await start();
       const model = new LSTM({ inputSize: 2, hiddenSize: 3, rng: new Rng(1) });
       const input = new Rng(2).normal([1, 4, 2]);
       const { gradients } = valueAndGrad(parameters(model), () => ({ loss: tf.sum(tf.square(model.call(input).output)) }));
       console.log(backend, gradients.size);`,
    );
    // TensorFlow.js takes a global scope with a window and a document for a page.
    const page = 'data:text/javascript,globalThis.window=Object.assign(globalThis,{document:{}})';
    expect(run('node', ['--import', page, file], project)).toContain('ostinato-cpu 3');
  });

  it.each([
    ['tokenizers', `export { CharacterTokenizer } from '@ostinato/tokenizers';`, 16],
    ['rng', `export { Rng } from '@ostinato/core';`, 160],
    ['lstm', `export { LSTM } from '@ostinato/recurrent';`, 200],
  ])('takes no more than it uses: %s', (name, code, kilobytes) => {
    expect(statSync(bundle(name, code)).size).toBeLessThan(kilobytes * 1024);
  });
});
