import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { cli } from './cli.ts';

it('bench --profile says where a step goes, against the peak of this machine', async () => {
  const { stdout, code } = await cli(['bench', '--profile', '--engine', 'cpu', '--json'], tmpdir());
  expect(code).toBe(0);
  const events = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  const { peak, kernels, milliseconds } = events.find(({ event }) => event === 'profile');
  expect(peak.gigaflops).toBeGreaterThan(0);
  expect(milliseconds).toBeGreaterThan(0);
  const lstm = kernels.find(({ name }: { name: string }) => name === 'OstinatoLstm');
  expect(lstm).toMatchObject({ calls: 1, operations: 2 * 4 * 100 * 4 * 1024 * (256 + 1024) });
});
