import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatError } from '@ostinato/core';
import { parseSeries, readSeries } from '@ostinato/data/node';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-csv-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('parseSeries', () => {
  const text = 'date,high,"low",note\n2020-01-01, 3.5,-1,x\n\n2020-01-02,4e0,.5,\n';

  it('takes the columns that begin with a number, or those that are named', async () => {
    expect(await parseSeries(text)).toEqual({
      ...{ values: Float64Array.of(3.5, -1, 4, 0.5), shape: [2, 2], names: ['high', 'low'] },
    });
    expect((await parseSeries(text, { columns: ['low'] })).names).toEqual(['low']);
    expect(await parseSeries(text, { columns: ['3', 'high'] })).toMatchObject({ names: ['low', 'high'] });
    expect(await parseSeries('2020;5\n2021;6\n', { columns: ['2'], delimiter: ';' })).toMatchObject({
      ...{ names: ['2'], shape: [2, 1] },
    });
  });

  it('refuses what is missing or no number, with its line', async () => {
    await expect(parseSeries('t,v\n1,2\n\n2,\n')).rejects.toThrow(
      "parseSeries: the table: a value is missing, got nothing in line 4, column 'v'. Fill it in",
    );
    for (const wrong of ['NaN', '1 000', '0x1F', 'Infinity', '1e999', '?0.2']) {
      await expect(parseSeries(`t,v\n1,2\n2,${wrong}\n`)).rejects.toThrow(`got '${wrong}' in line 3, column 'v'`);
    }
    const rejections: [string, object, string | RegExp][] = [
      [text, { columns: ['note'] }, "must be a number, got 'x' in line 2, column 'note'"],
      [text, { columns: ['mid'] }, /'date' \| 'high' \| 'low' \| 'note', or a number from 1 to 4, got 'mid'/],
      ['a,b\nx,y\n', {}, "there must be a column of numbers, got 'x', 'y' in line 2"],
      ['v,v\n1,2\n', {}, "columns must differ in name, got 'v', 'v'"],
      ['a,b\n', {}, /rows behind the heading/],
      ['\n', {}, /there must be rows, got none/],
      ['a,b\n1,2\n3\n', {}, /line 3/],
    ];
    for (const [bad, options, message] of rejections) {
      await expect(parseSeries(bad, options), bad).rejects.toThrow(message);
      await expect(parseSeries(bad, options), bad).rejects.toThrow(FormatError);
    }
  });

  it('reads files with a byte order mark and CRLF, and names them', async () => {
    const path = join(folder, 'series.csv');
    writeFileSync(path, `\ufeff${text.replaceAll('\n', '\r\n')}`);
    expect(await readSeries(path, { columns: ['high'] })).toMatchObject({ values: Float64Array.of(3.5, 4) });
    writeFileSync(path, 'v\n1\nx\n');
    await expect(readSeries(path)).rejects.toThrow(/series\.csv.*got 'x' in line 3/);
    await expect(readSeries(join(folder, 'none.csv'))).rejects.toThrow(/there is no such file/);
  });
});
