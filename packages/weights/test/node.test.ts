import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatError } from '@ostinato/core';
import { writeSafetensors } from '@ostinato/weights';
import { readSafetensorsFile, writeFileAtomic } from '@ostinato/weights/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ostinato-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('writeFileAtomic', () => {
  it('writes and replaces, and leaves nothing beside', async () => {
    const path = join(folder, 'a');
    await writeFileAtomic(path, Uint8Array.of(1, 2));
    await chmod(path, 0o640);
    await writeFileAtomic(path, Uint8Array.of(3));
    expect([...(await readFile(path))]).toEqual([3]);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('follows a symbolic link', async () => {
    await writeFile(join(folder, 'a'), 'old');
    await symlink(join(folder, 'a'), join(folder, 'link'));
    await writeFileAtomic(join(folder, 'link'), Uint8Array.of(3));
    expect([...(await readFile(join(folder, 'a')))]).toEqual([3]);
  });

  it('leaves everything as it was when the rename fails', async () => {
    await mkdir(join(folder, 'a'));
    await expect(writeFileAtomic(join(folder, 'a'), Uint8Array.of(3))).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('fails where there is no directory', async () => {
    await expect(writeFileAtomic(join(folder, 'none', 'a'), Uint8Array.of(3))).rejects.toThrow('ENOENT');
  });

  // The limit of 100 kB stops the write in its middle, as a full disk would.
  it.skipIf(process.platform === 'win32')('leaves the old file when the disk is full', async () => {
    const path = join(folder, 'a');
    await writeFile(path, 'old');
    const script = `
      process.on('SIGXFSZ', () => {});
      const { writeFileAtomic } = await import(${JSON.stringify(await bundled(folder))});
      await writeFileAtomic(${JSON.stringify(path)}, new Uint8Array(1e6)).catch(error => console.log(error.code));`;
    const child = spawn('bash', [
      '-c',
      'ulimit -f 100; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      script,
    ]);
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    await new Promise(done => child.on('close', done));
    expect(output.trim()).toBe('EFBIG');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect((await readdir(folder)).sort()).toEqual(['a', 'node.mjs']);
  });
});

/** `src/node.ts` as plain JavaScript without the reader, for a process of its own. */
async function bundled(directory: string): Promise<string> {
  const source = await readFile(new URL('../src/node.ts', import.meta.url), 'utf8');
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(source.slice(0, source.indexOf('/** Reads a safetensors file.')), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  const path = join(directory, 'node.mjs');
  await writeFile(path, outputText);
  return path;
}

describe('readSafetensorsFile', () => {
  it('reads, and names the file when it is damaged', async () => {
    const path = join(folder, 'model.safetensors');
    const bytes = writeSafetensors({
      tensors: new Map([['w', { dtype: 'F32', shape: [1], data: Float32Array.of(2) }]]),
    });
    await writeFileAtomic(path, bytes);
    expect([...(await readSafetensorsFile(path)).tensors.get('w')!.data]).toEqual([2]);
    await writeFile(path, bytes.subarray(0, -1));
    await expect(readSafetensorsFile(path)).rejects.toThrow(FormatError);
    await expect(readSafetensorsFile(path)).rejects.toThrow(/model\.safetensors \(readSafetensors\): the file ends/);
  });
});
