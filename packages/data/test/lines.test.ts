import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamLabelled, streamLines, streamPairs } from '@ostinato/data';
import { readLabelled, readPairs, readTable, streamTable } from '@ostinato/data/node';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-lines-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('streamLines', () => {
  it('finds the same lines however the text is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('a', 'b ', '', '\r', '\n', '\r\n')), async parts => {
        const text = parts.join('');
        const wanted = text.split(/\r?\n/);
        const last = wanted.pop()!;
        // A carriage return at the very end is half a line break.
        if (last !== '') wanted.push(last.replace(/\r$/, ''));
        expect(await all(streamLines(parts))).toEqual(wanted);
      }),
    );
  });
});

describe('streamPairs', () => {
  it('leaves out what is blank on a side, with line numbers kept, or keeps it', async () => {
    const pairs = [['un\r\n\r\ntrois\nq', 'uatre\n'], ['one\ntwo\n three \nfour']] as const;
    const found = await all(streamPairs(...pairs));
    expect(found.map(({ line, source, target }) => [line, source, target])).toEqual([
      [1, 'un', 'one'],
      [3, 'trois', 'three'],
      [4, 'quatre', 'four'],
    ]);
    expect(await all(streamPairs(...pairs, { blank: 'keep' }))).toHaveLength(4);
  });

  it('refuses unequal counts with the line and both counts', async () => {
    const paths = [file('a.fr', '\ufeffun\ndeux\ntrois\nquatre\n'), file('a.en', 'one\ntwo\n')] as const;
    await expect(all(readPairs(...paths))).rejects.toThrow(
      /got 4 in ".*a\.fr" and 2 in ".*a\.en": line 3 has no counterpart/,
    );
    const first = await readPairs(paths[0], paths[0]).next();
    expect(first.value).toEqual({ line: 1, source: 'un', target: 'un' });
  });
});

describe('streamLabelled', () => {
  it.each<[string, object, string, string]>([
    ['1 good film', {}, '1', 'good film'],
    ['__label__pos good', {}, 'pos', 'good'],
    ['very good\tpos', { label: 'last' }, 'pos', 'very good'],
    ['very good, pos', { label: 'last', separator: ',' }, 'pos', 'very good'],
    ['two words\ttext', { separator: '\t' }, 'two words', 'text'],
  ])('%s', async (line, options, label, text) => {
    const found = await all(streamLabelled([`\n${line}\r\n`], options));
    expect(found).toEqual([{ line: 2, label, text }]);
  });

  it('names the line without a text', async () => {
    const path = file('labels.txt', '\ufeff1 a\r\n\r\nalone\r\n');
    await expect(all(readLabelled(path))).rejects.toThrow(/got "alone" in line 3 of ".*labels\.txt"/);
  });
});

describe('streamTable', () => {
  const text = '\ufeffid,text,label\r\n1,"a, ""b""\nc",x\r\n\r\n2,d,y\r\n';

  it('reads columns by name and place, with quotes, line breaks in them and empty lines', async () => {
    const rows = await all(readTable(file('t.csv', text), { columns: ['label', 1] }));
    expect(rows).toEqual([
      { line: 3, values: ['x', 'a, "b"\nc'] },
      { line: 5, values: ['y', 'd'] },
    ]);
    const tabs = await all(readTable(file('t.tsv', '"a\tb\nc"\td\n'), { columns: [1, 0], header: false }));
    expect(tabs.map(({ values }) => values)).toEqual([
      ['b', '"a'],
      ['d', 'c"'],
    ]);
  });

  it('says what is wrong, and where', async () => {
    const read = (written: string, columns: (string | number)[] = ['label']) =>
      all(streamTable([written], { columns }));
    await expect(read('a,b\n1,2\n')).rejects.toThrow('must have the column "label", got "a", "b"');
    await expect(read('label,b\n1,2\n3\n')).rejects.toThrow(/got in line 3: /);
    await expect(read('label\n"a\n')).rejects.toThrow(/got in line \d: /);
    await expect(read('a\n', [])).rejects.toThrow('at least one');
    await expect(all(streamTable(['a'], { columns: ['a'], header: false }))).rejects.toThrow('places');
  });
});
