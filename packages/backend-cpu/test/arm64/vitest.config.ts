import { defineConfig } from 'vitest/config';
import { settings } from '../../../../vitest.config.ts';

// The kernels' tests on emulated kernels; `test/arm64.test.ts` starts it.
export default defineConfig({
  ...settings,
  test: {
    ...settings.test,
    include: ['packages/backend-cpu/test/native.test.ts'],
    setupFiles: ['./tests/setup.ts', './packages/backend-cpu/test/arm64/emulated.ts'],
    testTimeout: 300_000,
  },
});
