import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ResourceError } from '@ostinato/core';
import { build, type Metafile } from 'esbuild';
import type { Variant } from './variants.ts';

const require = createRequire(import.meta.url);
const backendFile = new URL('../../packages/backend-cpu/src/native.ts', import.meta.url);

/** Who runs the bundle. */
export type Platform = 'node' | 'browser';

/**
 * Spec files and a backend as one script. A bundle, because the specs are modules that plain Node cannot load (imports without
 * extensions, `require` beside `import`), and because everything in it shares one copy of tfjs-core.
 *
 * @throws ResourceError when there would be two copies
 */
export async function bundleSpecs(
  files: readonly string[],
  { backend, options }: Pick<Variant, 'backend' | 'options'>,
  platform: Platform,
): Promise<string> {
  const lines = [
    "const suite = require('./inside/suite.ts');",
    `suite.useBackend(require(${JSON.stringify(fileURLToPath(backend))}).register, ${JSON.stringify(options)});`,
    ...files.map(file => `suite.load('${file}', () => require('@tensorflow/tfjs-core/dist/${file}_test.js'));`),
    'suite.execute();',
  ];
  const { outputFiles, metafile } = await build({
    stdin: { contents: lines.join('\n'), resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    metafile: true,
    platform,
    format: platform === 'node' ? 'cjs' : 'iife',
    conditions: ['@ostinato/source'],
    mainFields: platform === 'node' ? ['module', 'main'] : ['browser', 'module', 'main'],
    // tfjs-core asks for jasmine-core without listing it.
    alias: { 'jasmine-core': dirname(require.resolve('jasmine-core/package.json')) },
    // Native kernels and what calls them are looked for from the backend's own place, as without a bundle.
    define: platform === 'node' ? { 'import.meta.url': JSON.stringify(String(backendFile)) } : { global: 'globalThis' },
    external: ['koffi'],
    logLevel: 'silent',
  });
  checkOneCore(metafile);
  return outputFiles[0]!.text;
}

/** Specs reach into the modules of tfjs-core: a backend on another copy would not be the one that they see. */
function checkOneCore({ inputs }: Metafile): void {
  const engines = Object.keys(inputs).filter(input => /\/tfjs-core\/dist\/(engine|tf-core[^/]*)\.js$/.test(input));
  if (engines.length === 1) return;
  throw new ResourceError({
    where: 'conformance',
    rule: 'specs and backend must share one copy of tfjs-core',
    expected: 'one engine in the bundle',
    got: engines.join(', '),
  });
}
