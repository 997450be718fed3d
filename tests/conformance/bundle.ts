// tfjs-core's specs, the backend and the one tfjs-core that both use, as one script: the specs are ECMAScript modules without
// file extensions, which only a bundler reads, and a backend registers only with the copy that it imports.
import { mkdtempSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);
const root = resolve(import.meta.dirname, '../..');
const core = dirname(require.resolve('@tensorflow/tfjs-core/package.json'));

/** Name of every environment, so that a spec is called the same on all backends. */
const environmentName = 'conformance';

/** Spec files whose path, relative to tfjs-core's `dist`, contains `filter`. */
export function specFiles(filter: string): string[] {
  const files = readdirSync(join(core, 'dist'), { encoding: 'utf8', recursive: true });
  return files.filter(file => file.endsWith('_test.js') && file.includes(filter)).sort();
}

/** A module of an entry file, so that modules run in the order of their imports. */
interface Part {
  readonly name: string;
  readonly source: string;
}

function entryParts(backendName: string, files: readonly string[], preparation: string): Part[] {
  return [
    {
      name: 'environment',
      source: `
        import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
        import '@tensorflow/tfjs-core/dist/register_all_gradients';
        import '@tensorflow/tfjs-backend-cpu';
        import '@ostinato/backend-cpu';
        import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util';
        ${preparation}
        setTestEnvs([{ name: '${environmentName}', backendName: '${backendName}', isDataSync: true }]);`,
    },
    ...files.map(file => ({ name: file, source: `import '@tensorflow/tfjs-core/dist/${file}';` })),
  ];
}

/**
 * Writes the specs of `files` for a backend into one script and returns its path.
 *
 * @param preparation statements that run before the specs are described
 */
export async function bundleSpecs(options: {
  readonly backendName: string;
  readonly files: readonly string[];
  readonly platform: 'node' | 'browser';
  readonly preparation?: string;
}): Promise<string> {
  const { backendName, files, platform, preparation = '' } = options;
  const outfile = join(mkdtempSync(join(tmpdir(), 'ostinato-conformance-')), 'specs.mjs');
  const parts = entryParts(backendName, files, preparation);
  const importRequire = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(${JSON.stringify(import.meta.url)});`;
  await build({
    stdin: { contents: parts.map(({ name }) => `import 'part:${name}';`).join('\n'), resolveDir: root },
    bundle: true,
    format: 'esm',
    platform,
    outfile,
    logLevel: 'error',
    ignoreAnnotations: true, // tfjs-core declares that importing a spec has no effect
    conditions: ['@ostinato/source'],
    mainFields: ['module', 'main'],
    alias: { '@tensorflow/tfjs-core': core },
    external: platform === 'node' ? ['jasmine-core', 'koffi'] : [],
    banner: platform === 'node' ? { js: importRequire } : {},
    plugins: [
      {
        name: 'parts',
        setup(builder) {
          builder.onResolve({ filter: /^part:/ }, ({ path }) => ({ path: path.slice(5), namespace: 'part' }));
          builder.onLoad({ filter: /.*/, namespace: 'part' }, ({ path }) => ({
            contents: parts.find(({ name }) => name === path)!.source,
            resolveDir: import.meta.dirname,
          }));
        },
      },
    ],
  });
  return outfile;
}
