import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { cli, events, temporaryFolder } from './cli.ts';

const folder = temporaryFolder();

beforeAll(() => {
  writeFileSync(join(folder, 'output'), 'the cat sat on the mat\n\na dog ran off\n');
  // A byte order mark, CRLF, no line break at the end.
  writeFileSync(join(folder, 'reference'), '\ufeffthe cat sat on the mat\r\n\r\na big dog ran off');
  writeFileSync(join(folder, 'other'), 'a cat\nx\na dog ran off\n');
  writeFileSync(join(folder, 'short'), 'the cat\n\n');
  writeFileSync(join(folder, 'latin1'), Buffer.from([0xe9, 0x0a]));
});

it('prints the line of sacreBLEU', async () => {
  const { stdout, stderr, code } = await cli(
    ['score', 'bleu', '--reference', 'reference', '--hypothesis', 'output'],
    folder,
  );
  expect([stderr, code]).toEqual(['', 0]);
  // sacrebleu reference -i output -m bleu -f text -w 2, on the same lines.
  expect(stdout).toBe(
    'BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 77.81 100.0/87.5/83.3/75.0 (BP = 0.905 ratio = 0.909 hyp_len = 10 ref_len = 11)\n',
  );
});

it('takes several references, as JSON', async () => {
  const args = [
    'score',
    'chrf',
    '--word-order',
    '2',
    '--reference',
    'reference',
    'other',
    '--hypothesis',
    'output',
    '--json',
  ];
  expect(events(await cli(args, folder))).toEqual([
    expect.objectContaining({ event: 'result', metric: 'chrf', sentences: 3, score: 100, name: 'chrF2++' }),
  ]);
});

it.each([
  ['short', "3 lines in 'output' and 2 in 'short': line 3 has no reference"],
  ['missing', 'there is no such file'],
  ['latin1', 'the file must be UTF-8'],
])('refuses %s', async (reference, message) => {
  const { stderr, code } = await cli(['score', 'ter', '--reference', reference, '--hypothesis', 'output'], folder);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
