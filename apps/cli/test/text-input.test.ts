import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { run } from '../src/program.ts';
import { temporaryFolder } from './cli.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files: Record<string, string | Uint8Array> = {
  'good.txt': 'a fine day\nb dull day\na fine\nb dull\n',
  'no-text.txt': 'a fine day\r\n\r\nb\r\n',
  'one-label.txt': 'a fine\na fine day\n',
  'prose.txt': Array.from({ length: 30 }, (_, i) => `word${i} and more`).join('\n'),
  'other-label.txt': 'c fine\n',
  'no-label.csv': 'label,text\na,fine\n\n,dull\n',
  'ragged.csv': 'label,text\na,fine,day\n',
  'columns.csv': 'stars,review\n1,fine\n',
  'quoted.tsv': 'label\ttext\na\tfine\nb\t\n',
  'good.conll': 'see O\nRome LOC\n\nsee O\nOslo LOC\n',
  'ragged.conll': 'see VB O\n\nRome LOC\n',
  'latin1.txt': new Uint8Array([0x61, 0x20, 0xe9, 0x0a]),
  'blank.txt': ' \n\n',
  'wide.txt': '2 3\nfine 1 2 3\n',
};

/** Runs a command line in this process, which takes a tenth of the time; names of files are those in the folder. */
async function inProcess(args: readonly string[]): Promise<{ code: number; stderr: string }> {
  let stderr = '';
  const listeners = process.stdout.listeners('error');
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    stderr += text;
    return true;
  });
  try {
    const known = [...Object.keys(files), 'run', 'new'];
    return { code: await run(args.map(arg => (known.includes(arg) ? join(folder, arg) : arg))), stderr };
  } finally {
    vi.restoreAllMocks();
    process.stdout.removeAllListeners('error');
    for (const listener of listeners) process.stdout.on('error', listener as () => void);
  }
}

beforeAll(async () => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const options = ['--hidden', '4', '--epochs', '1', '--out', 'run'];
  expect(await inProcess(['train', 'sentiment', '--data', 'good.txt', ...options])).toEqual({ code: 0, stderr: '' });
});

const train = (task: string, file: string, ...more: string[]): string[] => [
  ...['train', task, '--data', file, '--out', 'new'],
  ...more,
];
const classify = ['classify', '--model', 'run'];

describe('bad input ends with code 2, one message, and nothing written', () => {
  it.each<[string, string[], RegExp]>([
    ['a line without a text', train('sentiment', 'no-text.txt'), /a label and a text.*"b" in line 3 of .*no-text.txt/],
    [
      'a row without a label',
      train('sentiment', 'no-label.csv'),
      /nothing in column 'label' of line 4 of .*no-label.csv/,
    ],
    ['a row without a text', train('sentiment', 'quoted.tsv'), /nothing in column 'text' of line 3 of .*quoted.tsv/],
    ['a row with more fields', train('sentiment', 'ragged.csv'), /ragged.csv must be a table.* line 2/],
    ['a missing column', train('sentiment', 'columns.csv'), /column "label", got "stars", "review"/],
    ['no UTF-8', train('sentiment', 'latin1.txt'), /--data: the file must be UTF-8.*0xe9 at offset 2/],
    ['a single label', train('sentiment', 'one-label.txt'), /--data: there must be at least 2 labels, got a/],
    ['another label for every line', train('sentiment', 'prose.txt'), /--data: labels must occur several times/],
    [
      'a label that is new in validation',
      train('sentiment', 'good.txt', '--validation-data', 'other-label.txt'),
      /--validation-data: every label must be one of the training: a, b, got "c"/,
    ],
    ['an unknown pooling', train('sentiment', 'good.txt', '--pooling', 'max,sum'), /--pooling.*last, mean, max/],
    [
      'heads that do not divide',
      train('sentiment', 'good.txt', '--encoder', 'transformer', '--heads', '4'),
      /--hidden: must be even and divisible by --heads, got 150 and 4/,
    ],
    [
      'vectors of bytes',
      train('sentiment', 'good.txt', '--vectors', 'wide.txt', '--tokenizer', 'bpe'),
      /--vectors: the tokens must be words/,
    ],
    [
      'vectors of another width',
      train('sentiment', 'good.txt', '--vectors', 'wide.txt', '--embedding', '4'),
      /--vectors .*wide.txt: .*3/,
    ],
    ['a word without its tag', train('tagging', 'ragged.conll'), /line 3 of .*ragged.conll.*3 columns, got 2/],
    ['a run of another task', ['train', 'tagging', '--resume', 'run'], /the file must be a sequence tagger/],
    [
      'options that the checkpoint decides',
      ['train', 'sentiment', '--resume', 'run', '--hidden', '8'],
      /--hidden comes from the checkpoint, got '8'/,
    ],
    [
      'other data than that of the run',
      ['train', 'sentiment', '--resume', 'run', '--data', 'other-label.txt'],
      /must be what the run began with/,
    ],
    [
      'a label that the model does not have',
      ['evaluate', '--model', 'run', '--data', 'other-label.txt'],
      /example 0 must have one of the model's labels/,
    ],
    ['a blank text', [...classify, ' '], /texts: must not be blank/],
    ['texts from two places', [...classify, 'fine', '--file', 'good.txt'], /--file: texts come from/],
    ['nothing to classify', [...classify, '--file', 'blank.txt'], /--file: the file must hold text/],
    ['a classifier that shall tag', ['tag', '--model', 'run', 'fine'], /the file must be a sequence tagger/],
    [
      'a classifier that shall write',
      ['generate', '--model', 'run'],
      /--model: must be a language model.*train sentiment/,
    ],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await inProcess(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(code).toBe(2);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });
});
