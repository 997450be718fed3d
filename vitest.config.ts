import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** What all tests share; the kernels' tests with sanitizers and on an emulator begin with it too. */
export const settings = {
  resolve: { conditions: ['@ostinato/source'] },
  ssr: { resolve: { conditions: ['@ostinato/source', 'node', 'import', 'default'] } },
  test: { setupFiles: ['./tests/setup.ts'], pool: 'forks', testTimeout: 180_000, hookTimeout: 180_000 },
} satisfies ViteUserConfig;

const unpacked = ['**/node_modules/**', 'tests/packed/**'];
// Their subject is threads, or a machine of its own: one file after the other.
const alone = ['packages/backend-cpu/test/{memory-large,team}.test.ts', 'tests/{browser,memory}/**/*.test.ts'];
// They choose the kernels of their process by the environment, before the engine starts, or have none.
const apart = [
  'packages/backend-cpu/test/**/*.test.ts',
  'packages/core/test/no-engine.test.ts',
  'tests/conformance/**/*.test.ts',
];

export default defineConfig(({ mode }) => {
  // Two files at a time, each on one thread: two teams of threads on one pair of cores would wait for each other.
  // `pnpm test` has just built the packages, which start in half the time of the sources: `--mode built` runs that CLI.
  const env = { OSTINATO_THREADS: '1', OSTINATO_CLI: mode === 'built' ? 'built' : 'source' };
  const pair = { env, maxWorkers: 2, sequence: { groupOrder: 0 } };
  const all = ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tests/*/**/*.test.ts'];
  return {
    ...settings,
    test: {
      ...settings.test,
      projects: [
        // In one process: TensorFlow.js takes longer to load than most files to run.
        {
          extends: true,
          test: { ...pair, name: 'together', include: all, exclude: [...unpacked, ...apart, ...alone], isolate: false },
        },
        { extends: true, test: { ...pair, name: 'apart', include: apart, exclude: [...unpacked, ...alone] } },
        {
          extends: true,
          test: { name: 'alone', include: alone, exclude: unpacked, maxWorkers: 1, sequence: { groupOrder: 1 } },
        },
      ],
    },
  };
});
