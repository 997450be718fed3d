import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@ostinato/source'] },
  ssr: { resolve: { conditions: ['@ostinato/source', 'node', 'import', 'default'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tests/*/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'tests/packed/**'],
    setupFiles: ['./tests/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
