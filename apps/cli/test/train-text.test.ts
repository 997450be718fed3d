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

const small = ['--hidden', '8', '--embedding', '8', '--log-every', '2', '--json'];
const exact = [
  '--dropout',
  '0',
  '--embedding-dropout',
  '0',
  '--word-dropout',
  '0',
  '--average-decay',
  '0',
  '--batch',
  '8',
  '--learning-rate',
  '0.02',
];
const size = ['--size', '16', '--heads', '2', '--layers', '1', '--tokens', '300', '--log-every', '2', '--json'];
const words = ['good', 'fine', 'lovely', 'bad', 'poor', 'awful'];
const lines = Array.from({ length: 48 }, (_, i) => `${i % 6 < 3 ? 'up' : 'down'} a ${words[i % 6]} day number ${i}`);
writeFileSync(path('labelled.txt'), `\ufeff${lines.join('\r\n')}\r\n\r\n`);
writeFileSync(
  path('labelled.csv'),
  `id,review,stars\n${lines.map((line, i) => `${i},"${line.replace(/^\S+ /, '')}",${line.split(' ')[0]}`).join('\n')}\n`,
);

describe('train sentiment', () => {
  it('trains on lines, keeps the run, classifies, explains and measures', { timeout: 60_000 }, async () => {
    const trained = await cli(
      ['train', 'sentiment', '--data', 'labelled.txt', ...small, ...exact, '--epochs', '12', '--out', 'a'],
      folder,
    );
    expect(trained.stderr).toBe('');
    const log = events(trained);
    expect(log.find(({ event }) => event === 'model')).toMatchObject({ trainingExamples: 43, validationExamples: 5 });
    expect(log.at(-1)).toMatchObject({ event: 'result', labels: ['down', 'up'], accuracy: 1, folder: 'a' });
    expect(filesIn(path('a'))).toEqual(['checkpoint.safetensors', 'log.jsonl', 'loss.svg']);

    const found = await cli(
      ['classify', '--model', 'a', 'a lovely day', 'an awful day', '--explain', '--json'],
      folder,
    );
    const [first, second] = events(found).filter(({ event }) => event === 'text');
    expect([first!['label'], second!['label']]).toEqual(['up', 'down']);
    const tokens = first!['tokens'] as { token: string; score: number }[];
    expect(tokens.map(({ token }) => token)).toEqual(['a', 'lovely', 'day']);
    const exported = await cli(['export', '--model', 'a', '--out', 'a.safetensors'], folder);
    expect([exported.stderr, exported.code]).toEqual(['', 0]);
    const telling = ['--telling-words', '2', '--json'];
    const listed = await cli(
      ['classify', '--model', 'a.safetensors', ...telling],
      folder,
      '\ufeffa fine day\r\n\r\na poor day\r\n',
    );
    expect(listed.stderr).toBe('');
    expect(events(listed).slice(1)).toMatchObject([
      { event: 'text', line: 1, text: 'a fine day', label: 'up' },
      { event: 'text', line: 3, text: 'a poor day', label: 'down' },
      { event: 'telling-words', words: { up: expect.any(Array), down: expect.any(Array) } },
      { event: 'result', texts: 2 },
    ]);
    const held = await cli(['evaluate', '--model', 'a'], folder);
    expect(held.stdout).toMatch(/accuracy 100.0 % .* \(5 texts\)/);

    const measured = await cli(
      [
        'evaluate',
        '--model',
        'a',
        '--data',
        'labelled.csv',
        '--format',
        'csv',
        '--text-column',
        'review',
        '--label-column',
        'stars',
        '--json',
      ],
      folder,
    );
    expect(events(measured).at(-1)).toMatchObject({ event: 'result', examples: 48, accuracy: 1 });
  });

  it('interrupted, goes on to the bit', { timeout: 60_000 }, async () => {
    const args = ['train', 'sentiment', '--data', 'labelled.csv', '--text-column', 'review', '--label-column', 'stars'];
    const more = [...small, '--epochs', '6', '--batch', '4'];
    expect((await cli([...args, ...more, '--out', 'whole'], folder)).code).toBe(0);
    const { child, done } = launch([...args, ...more, '--out', 'cut'], folder);
    interruptWhen(/"event":"step","step":[12]\d/, child);
    expect(events(await done).at(-1)).toMatchObject({ event: 'interrupted', folder: 'cut' });
    const resumed = await cli(['train', 'sentiment', '--resume', 'cut', '--json'], folder);
    expect(resumed.stderr).toBe('');
    expect(parametersOf('cut')).toEqual(parametersOf('whole'));

    writeFileSync(path('other.csv'), 'id,review,stars\n1,x,up\n2,y,down\n');
    const again = await cli(['train', 'sentiment', '--resume', 'cut'], folder);
    expect(again.stdout).toContain('nothing to train: the run has taken all its');
    const wrong = await cli(['train', 'sentiment', '--resume', 'cut', '--data', 'other.csv'], folder);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the data must be what the run began with'),
    });
    const fixed = await cli(['train', 'sentiment', '--resume', 'cut', '--hidden', '9'], folder);
    expect(fixed.stderr).toContain('--hidden comes from the checkpoint');
    const task = await cli(['train', 'tagging', '--resume', 'cut'], folder);
    expect(task.code).toBe(2);
  });
});

describe('train tagging', () => {
  it('trains on what comes along, tags and measures', { timeout: 60_000 }, async () => {
    const trained = await cli(['train', 'tagging', ...small, '--epochs', '1', '--out', 'tags'], folder);
    expect(trained.stderr).toBe('');
    expect(events(trained).at(-1)).toMatchObject({ event: 'result', spans: expect.any(Object) });
    const tagged = await cli(['tag', '--model', 'tags', 'Book a table in Rome', '--json'], folder);
    const [sentence] = events(tagged).filter(({ event }) => event === 'sentence');
    expect(sentence).toMatchObject({ words: ['Book', 'a', 'table', 'in', 'Rome'], tags: expect.any(Array) });
    writeFileSync(path('held.conll'), 'Rome B-LOC\ncalls O\n');
    const measured = await cli(['evaluate', '--model', 'tags', '--data', 'held.conll', '--json'], folder);
    expect(events(measured).at(-1)).toMatchObject({ event: 'result', words: 2, sentences: 1 });
  });
});

describe('train translation', () => {
  const nouns = { chat: 'cat', chien: 'dog', livre: 'book', jardin: 'garden' };
  const adjectives = { noir: 'black', petit: 'small', vieux: 'old', vert: 'green' };
  const pairs = Object.entries(nouns).flatMap(([noun, english]) =>
    Object.entries(adjectives).map(([adjective, word]) => [
      `le ${noun} ${adjective} est là`,
      `the ${word} ${english} is there`,
    ]),
  );
  writeFileSync(path('all.fr'), `\ufeff${pairs.map(([french]) => french).join('\r\n')}\r\n`);
  writeFileSync(path('all.en'), `${pairs.map(([, english]) => english).join('\n')}\n`);
  writeFileSync(
    path('short.en'),
    `${pairs
      .slice(1)
      .map(([, english]) => english)
      .join('\n')}\n`,
  );
  const files = ['--source', 'all.fr', '--target', 'all.en'];
  const held = ['--validation-source', 'all.fr', '--validation-target', 'all.en'];

  it('trains on two files, goes on to the bit, translates, draws and measures', { timeout: 90_000 }, async () => {
    const args = ['train', 'translation', ...files, ...held, ...size, '--tokenizer', 'word', '--dropout', '0'];
    const more = ['--steps', '200', '--learning-rate', '0.01', '--validate-every', '100', '--average-decay', '0.9'];
    const trained = await cli([...args, ...more, '--out', 'mt'], folder);
    expect(trained.stderr).toBe('');
    expect(events(trained).at(-1)).toMatchObject({
      event: 'result',
      step: 200,
      signature: expect.stringContaining('tok:13a'),
    });
    const { child, done } = launch([...args, ...more, '--out', 'mt-cut'], folder);
    interruptWhen(/"event":"step","step":[34]\d/, child);
    await done;
    expect((await cli(['train', 'translation', '--resume', 'mt-cut', '--json'], folder)).stderr).toBe('');
    expect(parametersOf('mt-cut')).toEqual(parametersOf('mt'));

    const translated = await cli(
      ['translate', '--model', 'mt', 'le chat noir est là', '--attention', '--svg', 'map.svg', '--json'],
      folder,
    );
    const [one] = events(translated).filter(({ event }) => event === 'translation');
    expect(one).toMatchObject({ translation: 'the black cat is there', finished: true });
    expect((one!['attention'] as { mean: number[][] }).mean).toHaveLength(6);
    expect(readFileSync(path('map.svg'), 'utf8')).toContain('<svg');
    writeFileSync(path('some.fr'), 'le chien vert est là\r\n\r\nle livre vieux est là\r\n');
    const piped = await cli(['translate', '--model', 'mt', '--file', 'some.fr'], folder);
    expect(piped.stdout).toBe('the green dog is there\n\nthe old book is there\n');
    const measured = await cli(['evaluate', '--model', 'mt', ...files, '--json'], folder);
    expect(events(measured).at(-1)).toMatchObject({ event: 'result', sentences: 16, bleu: expect.closeTo(100, 3) });
  });

  it('trains a recurrent one on columns of a table', { timeout: 60_000 }, async () => {
    writeFileSync(
      path('pairs.csv'),
      `fr,en\n${pairs.map(([french, english]) => `"${french}",${english}`).join('\n')}\n`,
    );
    const columns = ['--data', 'pairs.csv', '--source-column', 'fr', '--target-column', 'en'];
    const args = [
      'train',
      'translation',
      ...columns,
      ...size,
      '--architecture',
      'recurrent',
      '--steps',
      '4',
      '--out',
      'gru',
    ];
    const trained = await cli(args, folder);
    expect(trained.stderr).toBe('');
    expect(events(trained).at(-1)).toMatchObject({ event: 'result', sentences: 1, bleu: expect.any(Number) });
  });

  it('refuses files that do not fit, with the line', async () => {
    writeFileSync(path('gap.tsv'), 'french\tenglish\nun\tone\ndeux\t\n');
    const cases = [
      [['--source', 'all.fr', '--target', 'short.en'], 'line 16 has no counterpart'],
      [['--source', 'all.fr'], 'both files must be named'],
      [['--data', 'gap.tsv'], "nothing in column 'english' of line 3"],
      [['--data', 'gap.tsv', '--target-column', 'german'], '"german"'],
    ] as const;
    for (const [options, message] of cases) {
      const { code, stderr } = await cli(['train', 'translation', ...options, '--out', 'never'], folder);
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    }
    const { stderr } = await cli(['translate', '--model', 'gap.tsv', 'un'], folder);
    expect(stderr).toContain('gap.tsv');
  });
});
