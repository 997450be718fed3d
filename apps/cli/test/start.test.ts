import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cli, events, filesIn, interruptWhen, launch, program, programs, proposal, temporaryFolder } from './cli.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('start', () => {
  it('trains on the tunes that come along, writes new ones, and takes a fresh folder each time', async () => {
    const first = await cli(['start', '--seconds', '20', '--steps', '4', '--json'], folder);
    expect(first.stderr).toBe('');
    expect(first.code).toBe(0);
    expect(events(first).map(line => line.event)).toEqual(
      expect.arrayContaining(['engine', 'model', 'step', 'result']),
    );
    expect(filesIn(folder)).toEqual(
      expect.arrayContaining(
        ['checkpoint.safetensors', 'log.jsonl', 'loss.svg', 'tunes/tunes.abc', 'tunes/tunes.html'].map(name =>
          join('runs/start', name),
        ),
      ),
    );
    expect(readFileSync(join(folder, 'runs/start/tunes/tunes.html'), 'utf8')).toContain('Loss curve');

    const second = await cli(['start', '--seconds', '20', '--steps', '2'], folder);
    expect(second.code).toBe(0);
    expect(second.stdout).toMatch(/engine {2}cpu/);
    expect(second.stdout).toContain('parameter');
    expect(second.stdout).toMatch(/step 2\/2 .* loss \d\.\d+ .* validation .* characters\/s .* left/);
    expect(second.stdout).toMatch(/after 2 steps: loss \d\.\d+, validation \d\.\d+/);
    expect(second.stdout).toContain('runs/start-2');
    expect(second.stdout).not.toContain('not built yet');
    expect(second.stderr).toBe('');
  });

  it('goes on after Ctrl-C to what it promises', async () => {
    const { child, done } = launch(['start', '--seconds', '20', '--steps', '100', '--json'], folder);
    interruptWhen(/"event":"step"/, child);
    const last = events(await done).at(-1)!;
    const place = 'runs/start-3';
    expect(last).toMatchObject({ event: 'interrupted', folder: place });
    expect(last['resume']).toMatch(proposal('start --seconds 20 --resume runs/start-3'));

    const steps = String((last['step'] as number) + 1);
    const resume = ['start', '--seconds', '20', '--resume', place];
    const resumed = await cli([...resume, '--steps', steps], folder);
    expect(resumed.stderr).toBe('');
    expect(resumed.stdout).toContain(`after ${steps} steps: loss`);
    expect(existsSync(join(folder, place, 'tunes/tunes.html'))).toBe(true);
    const before = filesIn(folder);

    for (const each of new Set([program, programs.source])) {
      const again = await launch(resume, folder, undefined, each).done;
      expect(again.code).toBe(0);
      expect(again.stdout).toContain(`has taken all its ${steps} steps`);
      expect(again.stdout).toMatch(proposal('train music --resume runs/start-3 --steps \\d+', each));
    }
    expect(filesIn(folder)).toEqual(before);
  });
});

describe('engines', () => {
  it('lists every engine with its reason', async () => {
    const lines = events(await cli(['engines', '--json'], folder));
    expect(lines.filter(line => line.event === 'candidate').map(line => [line['engine'], line['available']])).toEqual([
      ['cuda', false],
      ['webgpu', false],
      ['cpu', true],
      ['tfjs-cpu', true],
    ]);
    expect(lines.at(-1)).toEqual({ event: 'result', available: ['cpu', 'tfjs-cpu'] });
    const table = await cli(['engines'], folder);
    expect(table.stdout).toMatch(/cuda +refused +not built yet/);
  });
});

describe('--help', () => {
  it.concurrent.each([
    [[]],
    [['start']],
    [['train', 'music']],
    [['train', 'language-model']],
    [['generate']],
    [['evaluate']],
    [['engines']],
    [['bench']],
  ])('%s', async command => {
    const { stdout, code } = await cli([...command, '--help'], folder);
    expect(code).toBe(0);
    if (command.length > 0) expect(stdout).toMatch(/Examples?:\n {2}ostinato /);
  });
});
