import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** What all tests share; the kernels' tests with sanitizers and on an emulator begin with it too. */
export const settings = {
  resolve: { conditions: ['@ostinato/source'] },
  ssr: { resolve: { conditions: ['@ostinato/source', 'node', 'import', 'default'] } },
  test: { setupFiles: ['./tests/setup.ts'], pool: 'forks', testTimeout: 180_000, hookTimeout: 180_000 },
} satisfies ViteUserConfig;

// Tests whose figures or subject are threads, or a machine of their own, run one file after the other; all others two at a time, each on
// one thread: two teams of threads on one pair of cores would wait for each other.
const alone = ['packages/backend-cpu/test/**/*.test.ts', 'tests/{browser,conformance,memory}/**/*.test.ts'];
const unpacked = ['**/node_modules/**', 'tests/packed/**'];

// `pnpm test` has just built the packages, which start in half the time of the sources: `--mode built` runs that CLI.
export default defineConfig(({ mode }) => ({
  ...settings,
  test: {
    ...settings.test,
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tests/*/**/*.test.ts'],
          exclude: [...unpacked, ...alone],
          env: { OSTINATO_THREADS: '1', OSTINATO_CLI: mode === 'built' ? 'built' : 'source' },
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, exclude: unpacked, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
}));
