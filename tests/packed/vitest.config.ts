import { defineConfig } from 'vitest/config';

// Runs after `turbo run build`: these tests pack what a release would publish and use it as a stranger would.
export default defineConfig({
  test: {
    include: ['tests/packed/**/*.test.ts'],
    root: '.',
    testTimeout: 300_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
});
