/**
 * Writes `page/backend-cpu.js`: the built package as one file that a page loads as it is, with an import map for
 * `@tensorflow/tfjs-core` and no bundler. Everything else that the package needs is in it.
 */

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { packageRoot } from './sources.ts';

const core = '@tensorflow/tfjs-core';

await build({
  entryPoints: [fileURLToPath(new URL('dist/index.js', packageRoot))],
  outfile: fileURLToPath(new URL('page/backend-cpu.js', packageRoot)),
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'error',
  banner: { js: '/* @ostinato/backend-cpu, with parts of TensorFlow.js (Google LLC); Apache-2.0 */' },
  plugins: [
    {
      // The page's own copy has the engine; the gradients, which tfjs-core does not export, are taken from inside of it.
      name: 'one-engine',
      setup(builder) {
        builder.onResolve({ filter: new RegExp(`^${core}$`) }, () => ({ path: core, external: true }));
      },
    },
  ],
});
