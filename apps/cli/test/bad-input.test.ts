import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, events, filesIn, temporaryFolder, tiny } from './cli.ts';

const folder = temporaryFolder();
const tune = 'X:1\nT:A Tune\nM:4/4\nL:1/8\nK:D\nDEFG ABcd|dcBA GFED|\n\n';

beforeAll(async () => {
  writeFileSync(join(folder, 'tunes.abc'), tune.repeat(20));
  writeFileSync(join(folder, 'empty.abc'), '');
  writeFileSync(join(folder, 'blank.abc'), ' \n\n');
  writeFileSync(join(folder, 'latin1.abc'), Buffer.from([0x54, 0x3a, 0xe9, 0x0a]));
  writeFileSync(join(folder, 'short.abc'), 'X:1\nK:D\nD');
  writeFileSync(join(folder, 'foreign.abc'), 'X:1\nT:Ωmega\nK:D\nDEFG|\n');
  writeFileSync(join(folder, 'prose.txt'), 'Once upon a time there was a tune. '.repeat(20));
  mkdirSync(join(folder, 'empty-run'));
  mkdirSync(join(folder, 'thesis'));
  writeFileSync(join(folder, 'thesis/log.jsonl'), 'my log');
  const trained = await cli(['train', 'music', '--data', 'tunes.abc', ...tiny, '--steps', '5', '--out', 'run'], folder);
  expect(trained.stderr).toBe('');
  const bytes = readFileSync(join(folder, 'run/checkpoint.safetensors'));
  mkdirSync(join(folder, 'damaged'));
  const flipped = Buffer.from(bytes);
  flipped[flipped.length - 100]! ^= 1;
  writeFileSync(join(folder, 'damaged/checkpoint.safetensors'), flipped);
  writeFileSync(join(folder, 'cut.safetensors'), bytes.subarray(0, bytes.length / 2));
  writeFileSync(join(folder, 'no-checkpoint.safetensors'), 'hello');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const train = ['train', 'music', '--out', 'new', ...tiny];

describe('bad input ends with code 2, one message, and nothing written', () => {
  it.concurrent.each<[string, string[], RegExp]>([
    ['an unknown command', ['sing'], /unknown command 'sing'/],
    ['an unknown option', ['train', 'music', '--speed', '3'], /unknown option '--speed'/],
    ['a number that is none', ['train', 'music', '--steps', 'many'], /--steps.*must be an integer/],
    ['a number out of range', ['train', 'music', '--dropout', '1'], /--dropout.*must be a number at least 0, below 1/],
    [
      'streams of a gpt',
      ['train', 'music', '--architecture', 'gpt', '--batches', 'streams'],
      /--batches: gpt carries no state/,
    ],
    ['heads that do not divide', ['train', 'music', '--architecture', 'gpt', '--heads', '3'], /--heads.*1024 and 3/],
    ['an unknown network', ['train', 'music', '--architecture', 'elman'], /--architecture.*lstm, gru, rnn, gpt/],
    ['an unknown engine', ['bench', '--engine', 'metal'], /--engine.*cuda, webgpu, cpu/],
    [
      'a tied output of other sizes',
      [...train, '--tied', '--hidden', '8', '--embedding', '4'],
      /--embedding must equal/,
    ],
    ['gradients beyond the window', [...train, '--bptt', '200'], /--bptt: gradients cannot flow further/],
    ['text without data', ['train', 'language-model'], /--data: a text file is needed/],
    ['a missing file', [...train, '--data', 'nowhere.abc'], /--data: no such file, got '.*nowhere.abc'/],
    ['a folder for a file', [...train, '--data', 'run'], /--data: must be a file/],
    ['an empty file', [...train, '--data', 'empty.abc'], /--data: the file must not be empty/],
    ['a blank file', [...train, '--data', 'blank.abc'], /must hold text/],
    ['no UTF-8', [...train, '--data', 'latin1.abc'], /--data: the file must be UTF-8, got the byte 0xe9 at offset 2/],
    ['text shorter than a window', [...train, '--data', 'short.abc'], /shorter than a window of 16/],
    ['no run to resume', ['train', 'music', '--resume', 'nowhere'], /--resume: no such file or folder/],
    ['a run without a checkpoint', ['train', 'music', '--resume', 'empty-run'], /no checkpoint.safetensors/],
    ['a damaged checkpoint to resume', ['train', 'music', '--resume', 'damaged'], /damaged.*checksum/],
    ['a damaged checkpoint', ['generate', '--model', 'damaged'], /damaged.*checksum/],
    ['half a checkpoint', ['evaluate', '--model', 'cut.safetensors', '--data', 'tunes.abc'], /cut.safetensors/],
    ['no checkpoint at all', ['generate', '--model', 'no-checkpoint.safetensors'], /no-checkpoint.safetensors/],
    [
      'a prompt outside the vocabulary',
      ['generate', '--model', 'run', '--prompt', 'XΩ'],
      /--prompt: .* "Ω" \(U\+03A9\) at line 1, column 2/,
    ],
    [
      'data outside the vocabulary',
      ['evaluate', '--model', 'run', '--data', 'foreign.abc'],
      /--data: .* "Ω" \(U\+03A9\) at line 2, column 3/,
    ],
    ['text that is no ABC', [...train, '--data', 'prose.txt'], /--data: .* tunes in ABC .* begins with X: or K:/],
    ['a folder with other files', ['train', 'music', ...tiny, '--out', 'thesis'], /--out: .* empty .* 'log.jsonl'/],
    [
      'other data than that of the run',
      ['train', 'music', '--resume', 'run', '--steps', '9', '--data', 'short.abc'],
      /another file than the run was trained on/,
    ],
    ['an empty prompt', ['generate', '--model', 'run', '--prompt', ''], /a token to begin with/],
    [
      'a damaged model to export',
      ['export', '--model', 'damaged', '--out', 'new/model.safetensors'],
      /damaged.*checksum/,
    ],
    [
      'no model to export',
      ['export', '--model', 'no-checkpoint.safetensors', '--out', 'new/model.safetensors'],
      /no-checkpoint/,
    ],
    [
      'a damaged model to write tunes',
      ['generate', '--model', 'damaged', '--abc', 'new/tunes.abc'],
      /damaged.*checksum/,
    ],
    ['a bad prompt for tunes', ['generate', '--model', 'run', '--prompt', 'XΩ', '--abc', 'new/tunes.abc'], /--prompt/],
    ['a file that is there', ['generate', '--model', 'run', '--abc', 'tunes.abc'], /--abc.*not overwritten/],
  ])('%s', async (_, args, message) => {
    const before = filesIn(folder);
    const outcome = await cli(args, folder);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stdout).not.toContain('Ω');
    expect(outcome.stderr).not.toMatch(/^ {4}at /m);
    expect(outcome.code).toBe(2);
    expect(filesIn(folder)).toEqual(before);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  it('says the same as a JSON line', async () => {
    const outcome = await cli(['evaluate', '--model', 'nowhere', '--data', 'tunes.abc', '--json'], folder);
    expect(outcome.code).toBe(2);
    expect(events(outcome)).toEqual([{ event: 'error', code: 2, message: expect.stringContaining('nowhere') }]);
    const option = await cli(['train', 'music', '--json', '--steps', '0'], folder);
    expect(events(option)).toEqual([{ event: 'error', code: 2, message: expect.stringContaining('--steps') }]);
  });

  it('shows the stack when asked to', async () => {
    const outcome = await cli(['train', 'music', '--data', 'nowhere.abc', '--verbose'], folder);
    expect(outcome.stderr).toMatch(/^ {4}at /m);
  });
});

it('fails with code 1 when an engine cannot run', async () => {
  const outcome = await cli([...train, '--data', 'tunes.abc', '--engine', 'cuda'], folder);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain('cuda (not built yet');
  expect(existsSync(join(folder, 'new'))).toBe(false);
});

it('stops with code 1 when training diverges, and saves nothing of that', async () => {
  const args = ['--data', 'tunes.abc', ...tiny, '--learning-rate', '1e30', '--clip-norm', '0', '--steps', '50'];
  const outcome = await cli(['train', 'music', ...args, '--out', 'diverged'], folder);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toMatch(/must be finite/);
  expect(outcome.stderr).toContain('clip gradients (--clip-norm 1)');
  expect(existsSync(join(folder, 'diverged'))).toBe(false);
});
