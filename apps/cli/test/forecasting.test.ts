import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeCheckpoint } from '@ostinato/training';
import { afterAll, describe, expect, it } from 'vitest';
import { cli, events, filesIn, interruptWhen, launch, temporaryFolder } from './cli.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);
const parametersOf = (run: string): unknown[] =>
  [...decodeCheckpoint(readFileSync(path(`${run}/checkpoint.safetensors`))).parameters].map(([, { data }]) => data);

const rows = Array.from(
  { length: 120 },
  (_, t) => `2020-${t},${(50 + t / 4 + 9 * Math.sin((t * Math.PI) / 6)).toFixed(2)},${20 - (t % 5)}`,
);
writeFileSync(path('shop.csv'), `\ufeffday,sales,price\r\n${rows.join('\r\n')}\r\n`);

describe('train forecasting', () => {
  it('trains on a table, goes on to the bit, tells, draws and measures', { timeout: 60_000 }, async () => {
    const args = ['train', 'forecasting', '--data', 'shop.csv', '--targets', 'sales', '--input', '8', '--horizon', '3'];
    const more = ['--hidden', '8', '--steps', '60', '--validate-every', '20', '--log-every', '1', '--json'];
    const trained = await cli([...args, ...more, '--intervals', '0.5,0.9', '--out', 'whole'], folder);
    expect(trained.stderr).toBe('');
    const log = events(trained);
    expect(log.find(({ event }) => event === 'model')).toMatchObject({ rows: 120, names: ['sales', 'price'] });
    expect(log.at(-1)).toMatchObject({
      event: 'result',
      season: 1,
      features: [{ name: 'sales', intervals: [{}, {}] }],
    });
    expect(filesIn(path('whole'))).toEqual(['checkpoint.safetensors', 'log.jsonl', 'loss.svg']);

    const { child, done } = launch([...args, ...more, '--intervals', '0.5,0.9', '--out', 'cut'], folder);
    interruptWhen(/"event":"step","step":[34]\d/, child);
    await done;
    expect((await cli(['train', 'forecasting', '--resume', 'cut', '--json'], folder)).stderr).toBe('');
    expect(parametersOf('cut')).toEqual(parametersOf('whole'));

    const told = await cli(['forecast', '--model', 'whole', '--svg', 'f.svg', '--csv', 'f.csv', '--json'], folder);
    const [sales] = events(told).filter(({ event }) => event === 'forecast');
    expect(sales).toMatchObject({ name: 'sales', intervals: [{ coverage: 0.5 }, { coverage: 0.9 }] });
    expect(sales!['point']).toHaveLength(3);
    expect(readFileSync(path('f.svg'), 'utf8')).toContain('<svg');
    expect(readFileSync(path('f.csv'), 'utf8').split('\n')[0]).toBe(
      'row,sales,sales 0.5 lower,sales 0.5 upper,sales 0.9 lower,sales 0.9 upper',
    );
    const today = await cli(['forecast', '--model', 'whole', '--data', 'shop.csv', '--horizon', '2'], folder);
    expect(today.stdout).toMatch(/\+1 +\d+.* and [\d.]+\n +\+2 /);
    const measured = await cli(['evaluate', '--model', 'whole', '--data', 'shop.csv', '--json'], folder);
    expect(events(measured).at(-1)).toMatchObject({ event: 'result', windows: 110 });
  });

  it('refuses what is no series, with line and column', async () => {
    writeFileSync(path('gap.csv'), 'day,sales\n1,5\n2,\n');
    const cases = [
      [['--data', 'gap.csv'], "line 3, column 'sales'"],
      [['--data', 'shop.csv', '--targets', 'cost'], "--targets: must be of 'sales', 'price', got 'cost'"],
      [['--data', 'shop.csv', '--columns', 'cost'], 'unknown column'],
      [['--data', 'none.csv'], 'no such file'],
    ] as const;
    for (const [options, message] of cases) {
      const { code, stderr } = await cli(['train', 'forecasting', ...options, '--out', 'never'], folder);
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    }
    expect(filesIn(folder).some(file => file.startsWith('never'))).toBe(false);
  });
});
