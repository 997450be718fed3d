import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, events, filesIn, temporaryFolder, tiny } from './cli.ts';

const folder = temporaryFolder();
const tune = 'X:1\nT:A Tune\nM:4/4\nL:1/8\nK:D\nDEFG ABcd|dcBA GFED|\n\n';

beforeAll(async () => {
  // One tune over and over: what a tiny model can learn by heart.
  writeFileSync(join(folder, 'tunes.abc'), tune.repeat(40));
  const args = ['--data', 'tunes.abc', ...tiny, '--hidden', '48', '--length', '48', '--steps', '250', '--seed', '3'];
  const trained = await cli(['train', 'music', ...args, '--learning-rate', '1e-2', '--out', 'run'], folder);
  expect(trained.stderr).toBe('');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('generate', () => {
  it('shows tunes and writes them as ABC, MIDI and a page', async () => {
    const files = ['--abc', 'new.abc', '--midi', 'new.mid', '--html', 'new.html'];
    const outcome = await cli(['generate', '--model', 'run', '--count', '2', '--temperature', '0.1', ...files], folder);
    expect(outcome.stderr).toBe('');
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toContain('DEFG ABcd|dcBA GFED|');
    expect(filesIn(folder)).toEqual(expect.arrayContaining(['new.abc', 'new-1.mid', 'new-2.mid', 'new.html']));
    expect(readFileSync(join(folder, 'new.abc'), 'utf8')).toMatch(/^X:1\n[\s\S]*\n\nX:2\n/);
    expect(readFileSync(join(folder, 'new-1.mid')).subarray(0, 4).toString()).toBe('MThd');
    expect(readFileSync(join(folder, 'new.html'), 'utf8')).toContain('<!doctype html>');
  });

  it('writes the same for the same seed, with a line per tune in JSON', async () => {
    const args = ['generate', '--model', 'run', '--count', '3', '--tokens', '40', '--temperature', '1.2', '--json'];
    const [first, second] = [await cli([...args, '--seed', '5'], folder), await cli([...args, '--seed', '5'], folder)];
    const other = await cli([...args, '--seed', '6'], folder);
    const texts = (outcome: typeof first): unknown[] =>
      events(outcome)
        .filter(line => line.event === 'text')
        .map(line => [line['row'], line['text']]);
    expect(texts(first)).toHaveLength(3);
    expect(texts(second)).toEqual(texts(first));
    expect(texts(other)).not.toEqual(texts(first));
    expect(events(first).at(-1)).toMatchObject({ event: 'result', count: 3, validTunes: expect.any(Number) });
  });

  it('goes on with a prompt in which \\n is a line break', async () => {
    const prompt = 'X:1\\nT:A Tune\\n';
    const outcome = await cli(
      ['generate', '--model', 'run', '--prompt', prompt, '--temperature', '0', '--json'],
      folder,
    );
    expect(events(outcome).find(line => line.event === 'text')!['text']).toMatch(/^X:1\nT:A Tune\nM:4\/4/);
  });

  it('exports a model of half the size that writes', async () => {
    const exported = await cli(['export', '--model', 'run', '--out', 'half.safetensors', '--json'], folder);
    expect(exported.code).toBe(0);
    const { bytes } = events(exported).at(-1)! as unknown as { bytes: number };
    expect(bytes).toBeLessThan(readFileSync(join(folder, 'run/checkpoint.safetensors')).length / 4);
    const outcome = await cli(['generate', '--model', 'half.safetensors', '--temperature', '0'], folder);
    expect(outcome.stdout).toContain('DEFG ABcd|');
    const resumed = await cli(['train', 'music', '--resume', 'half.safetensors'], folder);
    expect(resumed.code).toBe(2);
    expect(resumed.stderr).toContain('a model without its training');
  });

  it('without --model takes the pretrained model, or says that it is missing', async () => {
    const pretrained = fileURLToPath(new URL('../data/pretrained/irish-lstm-f16.safetensors', import.meta.url));
    const outcome = await cli(['generate', '--tokens', '20'], folder);
    if (existsSync(pretrained)) expect(outcome.stdout).toContain('X:');
    else expect(outcome.stderr).toContain('the pretrained model is not in this installation');
    expect(outcome.code).toBe(existsSync(pretrained) ? 0 : 2);
  });
});

it('says which tunes have a problem, and why no MIDI file was written', async () => {
  const args = ['generate', '--model', 'run', '--temperature', '0', '--tokens', '8'];
  const outcome = await cli([...args, '--midi', 'none.mid'], folder);
  expect(outcome.stdout).toMatch(/tune 1 is not valid: .*K: field/);
  expect(outcome.stdout).toMatch(/tune 1 has no MIDI file: /);
  const lines = events(await cli([...args, '--midi', 'none.mid', '--json'], folder));
  expect(lines.find(line => line.event === 'text')).toMatchObject({ valid: false, problems: expect.any(Array) });
  expect(lines.at(-1)).toMatchObject({ files: [], notWritten: [expect.stringContaining('no MIDI file')] });
});

describe('evaluate', () => {
  it('leaves out tunes with characters that the model does not know, and counts them', async () => {
    writeFileSync(join(folder, 'mixed.abc'), `${tune.repeat(3)}${tune.replace('A Tune', 'Ω')}`);
    const args = ['evaluate', '--model', 'run', '--data', 'mixed.abc', '--tunes', '0'];
    expect((await cli(args, folder)).stdout).toMatch(/left out +1 tune with characters/);
    const result = events(await cli([...args, '--json'], folder)).at(-1)!;
    expect(result).toMatchObject({ tokens: 3 * tune.length - 1, tunesLeftOut: 1 });
  });

  it('ends with nats, bits per character, perplexity and the share of valid tunes', async () => {
    const args = [
      'evaluate',
      '--model',
      'run',
      '--data',
      'tunes.abc',
      '--tunes',
      '4',
      '--temperature',
      '0.1',
      '--json',
    ];
    const result = events(await cli(args, folder)).at(-1)! as unknown as Record<string, number>;
    expect(result).toMatchObject({ event: 'result' });
    expect(result['nats']).toBeLessThan(0.3);
    expect(result['bitsPerCharacter']).toBeCloseTo(result['nats']! / Math.LN2, 10);
    expect(result['perplexity']).toBeCloseTo(Math.exp(result['nats']!), 10);
    expect(result['validTunes']).toBeGreaterThan(0.5);
  });
});
