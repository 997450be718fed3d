import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeCheckpoint } from '@ostinato/training';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { cli, events, filesIn, interruptWhen, launch, temporaryFolder } from './cli.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);
const parametersOf = (run: string): unknown[] =>
  [...decodeCheckpoint(readFileSync(path(`${run}/checkpoint.safetensors`))).parameters].map(([, { data }]) => data);

const colours = { red: '#d22', green: '#2c4', blue: '#24d' } as const;
const sizes = { wide: [40, 20], tall: [20, 40], small: [9, 9] } as const;

/** A folder of plain pictures in several formats; several captions of each. */
async function pictureFolder(name: string): Promise<void> {
  mkdirSync(path(name));
  const rows: string[] = [];
  for (const [colour, background] of Object.entries(colours)) {
    for (const [size, [width, height]] of Object.entries(sizes)) {
      const picture = sharp({ create: { width, height, channels: 3, background } });
      const file = `${colour}-${size}.${size === 'tall' ? 'jpg' : 'png'}`;
      writeFileSync(join(path(name), file), await (size === 'tall' ? picture.jpeg() : picture.png()).toBuffer());
      rows.push(`${file}\tA ${size} ${colour} one`, `${file}\tIt is ${colour}`);
    }
  }
  writeFileSync(join(path(name), 'captions.tsv'), `\ufefffile\tcaption\r\n${rows.join('\r\n')}\r\n\r\n`);
}

await pictureFolder('plain');
const small = ['--side', '16', '--channels', '8,16', '--size', '16', '--layers', '1', '--heads', '2', '--shift', '1'];
const run = ['train', 'captioning', '--data', 'plain', ...small, '--validation-data', 'plain', '--steps', '30'];
const options = ['--validate-every', '10', '--log-every', '1', '--json'];

describe('train captioning', () => {
  it('trains on a folder, goes on to the bit, says what pictures show and where it looked, and measures', {
    timeout: 120_000,
  }, async () => {
    const trained = await cli([...run, ...options, '--out', 'whole'], folder);
    expect(trained.stderr).toBe('');
    const log = events(trained);
    expect(log.find(({ event }) => event === 'model')).toMatchObject({ trainingPictures: 9, validationPictures: 9 });
    expect(log.at(-1)).toMatchObject({
      ...{ event: 'result', step: 30, pictures: 9, cider: expect.any(Number) },
      ...{ nearestNeighbour: { bleu: expect.any(Number) }, mostFrequent: { caption: 'It is red' } },
    });
    expect(filesIn(path('whole'))).toEqual(['checkpoint.safetensors', 'log.jsonl', 'loss.svg']);

    const { child, done } = launch([...run, ...options, '--out', 'cut'], folder);
    interruptWhen(/"event":"step","step":1\d/, child);
    await done;
    expect((await cli(['train', 'captioning', '--resume', 'cut', '--json'], folder)).stderr).toBe('');
    expect(parametersOf('cut')).toEqual(parametersOf('whole'));

    const args = ['caption', '--model', 'whole', 'plain/red-wide.png', 'plain/blue-tall.jpg'];
    const said = await cli([...args, '--attention', '--count', '2', '--svg', 'a.svg', '--json'], folder);
    const [first, second] = events(said).filter(({ event }) => event === 'caption');
    expect(first).toMatchObject({ file: 'plain/red-wide.png', attention: { grid: [4, 4] }, alternatives: [{}, {}] });
    expect(second).toMatchObject({ file: 'plain/blue-tall.jpg', caption: expect.any(String) });
    expect(readFileSync(path('a.svg'), 'utf8')).toContain('href="data:image/png;base64,');
    const piped = await cli(['caption', '--model', 'whole', '--attention'], folder, 'plain/green-small.png\n');
    expect(piped.stdout).toMatch(/│[ ░▒▓█]{8}/);

    const measured = await cli(['evaluate', '--model', 'whole', '--data', 'plain', '--json'], folder);
    expect(events(measured).at(-1)).toMatchObject({ event: 'result', pictures: 9 });
    expect((await cli(['export', '--model', 'whole', '--out', 'small.safetensors'], folder)).stderr).toBe('');
    const alone = await cli(['caption', '--model', 'small.safetensors', 'plain/red-wide.png', '--json'], folder);
    expect(events(alone).find(({ event }) => event === 'caption')).toMatchObject({ caption: expect.any(String) });
    writeFileSync(path('no.png'), 'This is text.');
    const wrong = await cli(['caption', '--model', 'whole', 'plain/red-wide.png', 'no.png'], folder);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("'no.png'") });

    const changed = await sharp({ create: { width: 40, height: 20, channels: 3, background: 'black' } })
      .png()
      .toBuffer();
    writeFileSync(path('plain/red-wide.png'), changed);
    const resumed = await cli(['train', 'captioning', '--resume', 'whole', '--steps', '40'], folder);
    expect(resumed).toMatchObject({ code: 2, stderr: expect.stringContaining('must be what the run began with') });
  });

  it('refuses a folder that is none, naming line or file, and writes nothing', { timeout: 60_000 }, async () => {
    const picture = readFileSync(path('plain/blue-small.png'));
    const folders: Record<string, Record<string, string | Uint8Array>> = {
      bare: { 'a.png': picture },
      gap: { 'a.png': picture, 'captions.tsv': 'file\tcaption\na.png\tA thing\na.png\t\n' },
      columns: { 'captions.tsv': 'picture\ttext\na.png\tA thing\n' },
      absent: { 'a.png': picture, 'captions.tsv': 'file\tcaption\na.png\tA thing\nb.png\tOne\n' },
      text: { 'a.png': picture, 'b.png': 'no', 'captions.tsv': 'file\tcaption\na.png\tA thing\nb.png\tOne\n' },
      damaged: { 'a.png': picture.subarray(0, 40), 'captions.tsv': 'file\tcaption\na.png\tA thing\n' },
      beyond: { 'a.png': picture, 'captions.tsv': 'file\tcaption\na.png#xywh=5,5,9,9\tA thing\n' },
    };
    for (const [name, files] of Object.entries(folders)) {
      mkdirSync(path(name));
      for (const [file, content] of Object.entries(files)) writeFileSync(join(path(name), file), content);
    }
    const cases: [string[], string][] = [
      [['--data', 'bare'], 'must hold captions.tsv'],
      [['--data', 'plain/red-tall.jpg'], 'must be a folder'],
      [['--data', 'nowhere'], 'no such folder'],
      [['--data', 'gap'], "nothing in column 'caption' of line 3"],
      [['--data', 'columns'], 'column'],
      [['--data', 'absent'], 'b.png'],
      [['--data', 'text'], 'b.png'],
      [['--data', 'damaged'], 'a.png'],
      [['--data', 'beyond'], 'a.png#xywh=5,5,9,9'],
      [['--side', '20'], '--side'],
      [['--size', '18'], '--size'],
    ];
    await Promise.all(
      cases.map(async ([args, message]) => {
        const { code, stderr } = await cli(['train', 'captioning', ...args, '--out', 'never'], folder);
        expect({ args, code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
      }),
    );
    expect(filesIn(folder).some(file => file.startsWith('never'))).toBe(false);
  });
});
