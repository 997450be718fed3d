import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FormatError, ResourceError } from '@ostinato/core';
import { readText, readTextStream } from '@ostinato/data/node';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string | Uint8Array, name = 'text.txt'): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

async function chunks(path: string | URL, chunkSize: number): Promise<string[]> {
  const all: string[] = [];
  for await (const chunk of readTextStream(path, { chunkSize })) all.push(chunk);
  return all;
}

describe('readTextStream', () => {
  it('never cuts a character, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.integer({ min: 1, max: 9 }),
        async (text, chunkSize) => {
          const wanted = text.startsWith('\ufeff') ? text.slice(1) : text;
          const got = await chunks(file(text), chunkSize);
          expect(got.join('')).toBe(wanted);
          for (const chunk of got) expect(chunk).not.toMatch(/\p{Surrogate}/u);
        },
      ),
    );
  });

  it('drops a byte order mark, and only there', async () => {
    expect(await chunks(file('\ufeffa\ufeffb'), 1)).toEqual(['a', '\ufeff', 'b']);
    expect(await readText(pathToFileURL(file('\ufeffa\ufeffb')))).toBe('a\ufeffb');
  });

  it.each<[string, number[], number, string]>([
    ['Latin-1', [0x63, 0x61, 0x66, 0xe9, 0x0a], 3, '0xe9'],
    ['an overlong form', [0x61, 0xc0, 0x80], 1, '0xc0'],
    ['an overlong form of three bytes', [0x61, 0xe0, 0x80, 0x80], 1, '0xe0'],
    ['a surrogate', [0x61, 0x61, 0xed, 0xa0, 0x80], 2, '0xed'],
    ['too large a code point', [0xf4, 0x90, 0x80, 0x80], 0, '0xf4'],
    ['a lone continuation', [0xc3, 0xa9, 0x80, 0x61], 2, '0x80'],
    ['a character cut short by the end', [0x61, 0xf0, 0x9f, 0x98], 1, '0xf0'],
    ['UTF-16', [0xff, 0xfe, 0x61, 0x00], 0, '0xff'],
  ])('names the first wrong byte: %s', async (name, bytes, offset, byte) => {
    const path = file(Uint8Array.from(bytes));
    for (const chunkSize of [1, 2, 3, 4, 100]) {
      const error = await chunks(path, chunkSize).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(FormatError);
      expect((error as Error).message).toContain(
        `readTextStream: the file must be UTF-8, got the byte ${byte} at offset ${offset} of "${path}".`,
      );
      if (name === 'UTF-16') expect((error as Error).message).toContain('It looks like UTF-16');
    }
  });

  it('finds the wrong byte of a large file', async () => {
    const bytes = new Uint8Array(200_000).fill(0x61);
    bytes[150_001] = 0xfc;
    await expect(readText(file(bytes))).rejects.toThrow('the byte 0xfc at offset 150001');
  });

  it('finds the byte that TextDecoder refuses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 12 }), async bytes => {
        const valid = (part: Uint8Array): boolean => {
          try {
            new TextDecoder('utf-8', { fatal: true }).decode(part);
            return true;
          } catch {
            return false;
          }
        };
        const error = await readText(file(bytes)).then(
          () => undefined,
          (reason: Error) => reason.message,
        );
        expect(error === undefined).toBe(valid(bytes));
        if (error === undefined) return;
        const offset = Number(/at offset (\d+)/.exec(error)![1]);
        expect(valid(bytes.subarray(0, offset))).toBe(true);
        for (let length = 1; length <= 4; length++)
          expect(offset + length <= bytes.length && valid(bytes.subarray(offset, offset + length))).toBe(false);
      }),
    );
  });

  it('refuses files that are missing, empty or folders', async () => {
    await expect(readText(join(folder, 'none.txt'))).rejects.toThrow(ResourceError);
    await expect(readText(join(folder, 'none.txt'))).rejects.toThrow(
      `readTextStream: the file cannot be read, got "${join(folder, 'none.txt')}": there is no such file.`,
    );
    await expect(readText(folder)).rejects.toThrow('it is a folder');
    await expect(readText(file(''))).rejects.toThrow('the file must not be empty');
    await expect(chunks(file('a'), 0)).rejects.toThrow('chunkSize must be an integer ≥ 1, got 0');
  });

  it.runIf(process.platform === 'linux')('closes the file when the loop is left early', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const path = file('a'.repeat(1000));
    const before = open();
    for await (const _ of readTextStream(path, { chunkSize: 10 })) break;
    expect(open()).toBe(before);
  });
});
