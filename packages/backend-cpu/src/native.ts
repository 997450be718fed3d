/**
 * Node: the kernels as native code, called on the WebAssembly memory itself by foreign-function call. Looks for a library that
 * fits this machine and these sources, and says why where there is none.
 */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { LibraryHandle } from 'koffi';
import { signatures, sourceHash } from './generated/signatures.ts';
import type { Kernels } from './kernels.ts';
import type { KernelMemory } from './memory.ts';
import { builtFor } from './native-file.ts';
import type { NativeLevel, NativeOutcome } from './native-outcome.ts';

/** What `scripts/compile-native.ts` writes beside the libraries: builds best first. */
interface Manifest {
  readonly target: string;
  readonly sources: string;
  readonly compiler: string;
  readonly libraries: readonly { readonly file: string; readonly variant: string; readonly sha256: string }[];
}

/** What each build needs: `processor_level()` of `kernels/processor.c`, 0 where every processor will do. */
const variants: Readonly<Record<string, { level: NativeLevel; processor: number; name: string }>> = {
  v4: { level: 'avx512', processor: 4, name: 'AVX-512' },
  v3: { level: 'avx2', processor: 3, name: 'AVX2' },
  neon: { level: 'neon', processor: 0, name: 'NEON' },
};

/** Why a folder's libraries cannot be used. */
class Refusal extends Error {}

function readManifest(folder: string): Manifest {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
    if (Array.isArray(manifest.libraries)) return manifest;
  } catch {
    // Said below.
  }
  throw new Refusal('the manifest of the native kernels cannot be read');
}

/** Path of a library whose bytes are those that were built, for this machine. */
function checkedPath(folder: string, { file, sha256 }: Manifest['libraries'][number]): string {
  const path = join(folder, file);
  if (!existsSync(path)) throw new Refusal(`${file} is missing`);
  const bytes = readFileSync(path);
  const target = builtFor(bytes);
  const here = `${process.platform}-${process.arch}`;
  if (target !== undefined && target !== here) throw new Refusal(`${file} is for ${target}, this is ${here}`);
  if (target === undefined || createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new Refusal(`${file} is damaged: it is not the file that was built`);
  }
  return path;
}

type Koffi = typeof import('koffi');

/** Where `memory` begins. Shared memory grows in place. */
function baseOf(memory: WebAssembly.Memory, library: LibraryHandle): number {
  return Number(library.func('address_of', 'uintptr_t', ['void *'])(new Uint8Array(memory.buffer)));
}

/** `bind` as a worker does it: see `NativeReopen`. */
const openerSource = `
function openKernels({ native: { data: { koffi, library, signatures, base } } }) {
  const opened = require(koffi).load(library);
  return Object.fromEntries(Object.entries(signatures).map(([name, signature]) => {
    const [result, ...kinds] = signature.split(' ');
    const kernel = opened.func(name, result, kinds.map(kind => (kind === 'address' ? 'uintptr_t' : kind)));
    return [name, (...values) => kernel(...values.map((value, i) => (kinds[i] === 'address' && value !== 0 ? value + base : value)))];
  }));
}`;

/** Functions over addresses in a memory that begins at `base`. */
function bind(library: LibraryHandle, base: number): Kernels {
  const entries = Object.entries(signatures).map(([name, signature]) => {
    const [result, ...kinds] = signature.split(' ') as [string, ...string[]];
    const types = kinds.map(kind => (kind === 'address' ? 'uintptr_t' : kind));
    const pointers = kinds.flatMap((kind, index) => (kind === 'address' ? [index] : []));
    return [name, withPointers(library.func(name, result, types), pointers, base)];
  });
  return Object.fromEntries(entries) as Kernels;
}

/** Address 0 stays 0: an absent operand. */
function withPointers(
  native: (...args: number[]) => unknown,
  pointers: readonly number[],
  base: number,
): (...args: number[]) => number {
  return (...args) => {
    for (const index of pointers) if (args[index] !== 0) args[index]! += base;
    return Number(native(...args));
  };
}

function loadKoffi(require: NodeJS.Require): Koffi {
  try {
    return require('koffi') as Koffi;
  } catch (error) {
    throw new Refusal(`the package koffi, which calls native code, cannot be loaded: ${firstLine(error)}`);
  }
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

function loadFrom(folder: string, require: NodeJS.Require, { memory, limit }: KernelMemory): NativeOutcome {
  const { sources, compiler, libraries } = readManifest(folder);
  if (sources !== sourceHash) throw new Refusal('the native kernels are stale, built from other sources');
  const koffi = loadKoffi(require);
  // Any of the libraries can say what the processor has.
  const unsuited: string[] = [];
  for (const entry of libraries) {
    const variant = variants[entry.variant];
    if (variant === undefined) continue;
    const path = checkedPath(folder, entry);
    const library = koffi.load(path);
    if ((library.func('processor_level', 'int', [])() as number) < variant.processor) {
      unsuited.push(variant.name);
      continue;
    }
    const reason = `native code for ${variant.name}, compiled by ${compiler}`;
    const base = baseOf(memory, library);
    // All that the memory may grow to lies there already: a shared memory never moves.
    library.func('advise_huge_pages', 'int', ['uintptr_t', 'size_t'])(base, limit);
    const reopen = { source: openerSource, data: { koffi: require.resolve('koffi'), library: path, signatures, base } };
    return { kernels: bind(library, base), level: variant.level, reason, reopen };
  }
  throw new Refusal(`this processor or system lacks ${unsuited.join(' and ')}`);
}

/** This file's place; the program's where a bundler has made a CommonJS file of both. */
const here: string | URL = import.meta.url ?? pathToFileURL(process.argv[1] ?? '.');

/** Folders that may hold libraries for this machine: in a clone what `pnpm native` has built, else a package of the release. */
function foldersOf(require: NodeJS.Require): string[] {
  const target = `${process.platform}-${process.arch}`;
  const built = fileURLToPath(new URL(`../native/${target}`, here));
  if (existsSync(join(built, 'manifest.json'))) return [built];
  try {
    return [dirname(require.resolve(`@ostinato/kernels-${target}/manifest.json`))];
  } catch {
    return []; // Not installed.
  }
}

/**
 * Native kernels on `memory`. The environment variable `OSTINATO_NATIVE` switches them off (`off`), or names the one folder
 * to look in.
 */
export function loadNativeKernels(memory: KernelMemory): NativeOutcome {
  const wanted = process.env['OSTINATO_NATIVE'];
  if (wanted === 'off') return { refused: 'native code is switched off by OSTINATO_NATIVE=off' };
  if (!memory.shared) return { refused: 'native code needs shared memory' };
  const refusals: string[] = [];
  try {
    const require = createRequire(here);
    for (const folder of wanted ? [wanted] : foldersOf(require)) {
      try {
        return loadFrom(folder, require, memory);
      } catch (error) {
        refusals.push(firstLine(error));
      }
    }
  } catch (error) {
    refusals.push(firstLine(error));
  }
  const target = `${process.platform}-${process.arch}`;
  const none = `no native code for ${target}: @ostinato/kernels-${target} is not installed, and in a clone \`pnpm native\` has not built it`;
  return { refused: refusals.length > 0 ? refusals.join('; ') : none };
}
