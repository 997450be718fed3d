import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeCheckpoint } from '@ostinato/training';
import { afterAll, describe, expect, it } from 'vitest';
import { cli, events, filesIn, interruptWhen, launch, proposal, temporaryFolder, tiny } from './cli.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (run: string): Buffer => readFileSync(join(folder, run, 'checkpoint.safetensors'));

describe('train music', () => {
  it('reports events, keeps the run, and does not overwrite it', async () => {
    const args = ['train', 'music', ...tiny, '--steps', '20', '--sample-every', '10', '--out', 'runs/first', '--json'];
    const outcome = await cli(args, folder);
    expect(outcome.stderr).toBe('');
    expect(outcome.code).toBe(0);
    const lines = events(outcome);
    expect(lines.map(line => line.event)).toEqual(
      expect.arrayContaining(['engine', 'model', 'step', 'validation', 'sample', 'checkpoint', 'result']),
    );
    const step = lines.find(line => line.event === 'step' && line['step'] === 20)!;
    expect(step).toMatchObject({
      step: 20,
      loss: expect.any(Number),
      validationLoss: expect.any(Number),
      charactersPerSecond: expect.any(Number),
    });
    expect(step['loss']).toBeLessThan(lines.find(line => line.event === 'step')!['loss'] as number);
    expect(lines.at(-1)).toMatchObject({ event: 'result', step: 20, folder: 'runs/first' });
    expect(filesIn(join(folder, 'runs/first'))).toEqual([
      'checkpoint.safetensors',
      'log.jsonl',
      'loss.svg',
      'samples/step-000010.abc',
    ]);
    expect(readFileSync(join(folder, 'runs/first/loss.svg'), 'utf8')).toContain('<svg');

    const before = bytes('runs/first');
    const again = await cli(args, folder);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('already holds a checkpoint');
    expect(again.stderr).toContain('--resume runs/first');
    expect(events(again)).toEqual([{ event: 'error', code: 2, message: expect.stringContaining('already holds') }]);
    expect(bytes('runs/first').equals(before)).toBe(true);
  });

  it.each([
    ['windows', []],
    ['windows in parts', ['--bptt', '5', '--dropout', '0.2']],
    ['streams', ['--batches', 'streams', '--bptt', '24', '--architecture', 'gru']],
    ['gpt', ['--preset', 'nanogpt-cpu', '--warmup', '5', '--batch', '2']],
  ])('killed by SIGKILL, goes on to the bit: %s', async (name, extra) => {
    const [whole, cut] = [`whole ${name}`, `cut ${name}`];
    const args = ['train', 'music', ...tiny, ...extra, '--steps', '60', '--json'];
    expect((await cli([...args, '--out', whole], folder)).code).toBe(0);

    const { child, done } = launch([...args, '--out', cut], folder);
    child.stdout!.on('data', (text: Buffer) => {
      if (/"event":"checkpoint","step":(1|2)\d/.test(text.toString())) child.kill('SIGKILL');
    });
    await done;
    const resumed = await cli(['train', 'music', '--resume', cut, '--json'], folder);
    expect(resumed.stderr).toBe('');
    expect(events(resumed).find(line => line.event === 'model')!['step']).toBeGreaterThan(0);

    const [a, b] = [decodeCheckpoint(bytes(whole)), decodeCheckpoint(bytes(cut))];
    expect(b.step).toBe(60);
    for (const group of ['parameters', 'optimizer'] as const) {
      const [expected, got] =
        group === 'optimizer' ? [a.optimizer.tensors, b.optimizer.tensors] : [a.parameters, b.parameters];
      expect([...got.keys()]).toEqual([...expected.keys()]);
      for (const [path, tensor] of expected) expect(got.get(path)!.data, path).toEqual(tensor.data);
    }
    const losses = (run: string): unknown[] =>
      readFileSync(join(folder, run, 'log.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Record<string, unknown>)
        .filter(entry => entry['event'] === 'validation');
    expect(losses(cut)).toEqual(losses(whole));
  });

  it('saves at Ctrl-C and says how to go on', async () => {
    const { child, done } = launch(
      ['train', 'music', ...tiny, '--steps', '100000', '--out', 'stopped', '--json'],
      folder,
    );
    interruptWhen(/"event":"step","step":4,/, child);
    const outcome = await done;
    expect(outcome.code).toBe(0);
    const last = events(outcome).at(-1)!;
    expect(last).toMatchObject({
      event: 'interrupted',
      resume: expect.stringMatching(proposal('train music --resume stopped')),
    });
    expect(decodeCheckpoint(bytes('stopped')).step).toBe(last['step']);
    expect(filesIn(join(folder, 'stopped'))).toContain('loss.svg');

    const steps = String((last['step'] as number) + 3);
    const resumed = await cli(['train', 'music', '--resume', 'stopped', '--steps', steps], folder);
    expect(resumed.code).toBe(0);
    expect(resumed.stdout).toContain(`goes on after step ${last['step']}`);
    expect(decodeCheckpoint(bytes('stopped')).step).toBe(Number(steps));

    const log = readFileSync(join(folder, 'stopped/log.jsonl'), 'utf8').trim().split('\n');
    expect(JSON.parse(log.at(-1)!)).toMatchObject({ step: Number(steps) });
    const done2 = await cli(['train', 'music', '--resume', 'stopped'], folder);
    expect(done2.code).toBe(0);
    expect(done2.stdout).toContain(`nothing to train: the run has taken all its ${steps} steps`);

    const other = await cli(['train', 'music', '--resume', 'stopped', '--hidden', '32'], folder);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('--hidden comes from the checkpoint, expected 16, got 32');
  });
});

describe('a closed pipe', () => {
  it('stops quietly and saves', async () => {
    const { child, done } = launch(['train', 'music', ...tiny, '--steps', '100000', '--out', 'piped'], folder);
    child.stdout!.once('data', () => child.stdout!.destroy());
    const outcome = await done;
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(decodeCheckpoint(bytes('piped')).step).toBeGreaterThan(0);
  });
});

describe('train language-model', () => {
  it('trains on words, and generate and evaluate read the model', async () => {
    const text = 'the cat sat on the mat . the dog sat on the log .\n'.repeat(60);
    writeFileSync(join(folder, 'text.txt'), text);
    const args = ['train', 'language-model', '--data', 'text.txt', '--level', 'word', ...tiny, '--steps', '60'];
    const trained = await cli([...args, '--out', 'words', '--json'], folder);
    expect(trained.stderr).toBe('');
    expect(events(trained).at(-1)!['validationLoss']).toBeLessThan(1.5);
    expect(events(trained).find(line => line.event === 'model')!['unknownShare']).toBe(0);

    const generated = await cli(
      ['generate', '--model', 'words', '--prompt', 'the cat', '--tokens', '5', '--temperature', '0', '--json'],
      folder,
    );
    expect(events(generated).find(line => line.event === 'text')!['text']).toMatch(/^the cat \w+/);

    const measured = await cli(['evaluate', '--model', 'words', '--data', 'text.txt', '--json'], folder);
    const result = events(measured).at(-1)! as unknown as Record<string, number | string>;
    expect(result).toMatchObject({ event: 'result', perplexity: expect.any(Number) });
    expect(result['bitsPerCharacter']).toBeLessThan((result['nats'] as number) / Math.LN2);

    writeFileSync(join(folder, 'other.txt'), 'the cat sat on the sofa . '.repeat(10));
    const other = await cli(['evaluate', '--model', 'words', '--data', 'other.txt'], folder);
    expect(other.stdout).toMatch(/unknown tokens +14\.\d+ % +\(bits per character are optimistic\)/);

    const music = await cli(['train', 'music', '--resume', 'words'], folder);
    expect(music.code).toBe(2);
    expect(music.stderr).toContain('the run must be of music');
  });
});
