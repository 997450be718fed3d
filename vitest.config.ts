import { defineConfig } from 'vitest/config';

// Tests whose figures or subject are threads, or a machine of their own, run one file after the other; all others two at a time, each on
// one thread: two teams of threads on one pair of cores would wait for each other.
const alone = ['packages/backend-cpu/test/**/*.test.ts', 'tests/{browser,conformance,memory}/**/*.test.ts'];
const shared = {
  exclude: ['**/node_modules/**', 'tests/packed/**'],
  setupFiles: ['./tests/setup.ts'],
  pool: 'forks' as const,
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  resolve: { conditions: ['@ostinato/source'] },
  ssr: { resolve: { conditions: ['@ostinato/source', 'node', 'import', 'default'] } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: 'together',
          include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tests/*/**/*.test.ts'],
          exclude: [...shared.exclude, ...alone],
          env: { OSTINATO_THREADS: '1' },
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { ...shared, name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
