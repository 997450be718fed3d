// Backends of one process do not disturb each other, and nothing of them outlives their end.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it.each([
  ['the best kernels here', {}],
  ['WebAssembly', { OSTINATO_NATIVE: 'off' }],
])('two workers and their main thread, each with a team, while a third is ended: %s', (_, environment) => {
  const program = new URL('isolation/program.ts', import.meta.url).pathname;
  const options = ['--conditions=@ostinato/source', '--import', 'tsx', program];
  const cwd = new URL('..', import.meta.url).pathname;
  const env = { ...process.env, ...environment };
  const { stdout, stderr, status } = spawnSync(process.execPath, options, {
    encoding: 'utf8',
    timeout: 50_000,
    env,
    cwd,
  });
  expect(stdout, stderr).toContain('{"same":[true,true,true],"different":3,"workers":0}');
  expect(status).toBe(0);
});
