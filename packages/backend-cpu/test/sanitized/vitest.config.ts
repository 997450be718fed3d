import { defineConfig } from 'vitest/config';
import { settings } from '../../../../vitest.config.ts';

// The kernels' tests on a library with sanitizers; `test/sanitized.test.ts` starts it.
export default defineConfig({
  ...settings,
  test: {
    ...settings.test,
    include: ['packages/backend-cpu/test/native.test.ts', 'packages/backend-cpu/test/sanitized/fault.ts'],
    setupFiles: ['./tests/setup.ts', './packages/backend-cpu/test/sanitized/guard.ts'],
  },
});
