/**
 * Compiles the kernels to native code with whichever C compiler is there: which compilers there are, and the command lines.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot, sourceHash } from './sources.ts';

/** A C compiler: `zig` compiles for every target, the others for this machine. */
export interface Compiler {
  readonly name: 'zig' | 'clang' | 'gcc';
  readonly command: readonly string[];
  readonly version: string;
}

/** Target names, `<platform>-<arch>` in Node's words, with zig's name for each. */
export const zigTargets: Readonly<Record<string, string>> = {
  // The oldest glibc that Node itself runs on decides: what is linked against 2.17 loads in all later ones.
  'linux-x64': 'x86_64-linux-gnu.2.17',
  'linux-arm64': 'aarch64-linux-gnu.2.17',
  'darwin-x64': 'x86_64-macos',
  'darwin-arm64': 'aarch64-macos',
  'win32-x64': 'x86_64-windows-gnu',
  'win32-arm64': 'aarch64-windows-gnu',
};

/** The target of this machine. */
export const hostTarget: string = `${process.platform}-${process.arch}`;

/** Builds of one target, best first, as the manifest names them. */
export const variantsOf = (target: string): readonly string[] => (target.endsWith('-x64') ? ['v4', 'v3'] : ['neon']);

// No -ffast-math: the kernels promise error bounds, and behave as IEEE says for infinities and NaN.
const flags = [
  '-O3',
  '-std=gnu17',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-fvisibility=hidden',
];

/** Compilers of this machine in order of preference. */
export function findCompilers(): Compiler[] {
  const candidates: [Compiler['name'], string[], string[]][] = [
    ['zig', ['zig', 'cc'], ['zig', 'version']],
    ['zig', ['python3', '-m', 'ziglang', 'cc'], ['python3', '-m', 'ziglang', 'version']],
    ['zig', ['python', '-m', 'ziglang', 'cc'], ['python', '-m', 'ziglang', 'version']],
    ['clang', ['clang'], ['clang', '-dumpversion']],
    ['gcc', ['gcc'], ['gcc', '-dumpfullversion', '-dumpversion']],
  ];
  return candidates.flatMap(([name, command, [program, ...args]]) => {
    try {
      const version = execFileSync(program!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
      return [{ name, command, version }];
    } catch {
      return [];
    }
  });
}

function levelFlags(compiler: Compiler, variant: string): string[] {
  if (variant === 'neon') return [];
  const level = compiler.name === 'zig' ? `-mcpu=x86_64_${variant}` : `-march=x86-64-${variant}`;
  return variant === 'v4' ? [level, '-mprefer-vector-width=512'] : [level];
}

/** Zig's target; on a system without glibc (Alpine) the one with musl. */
function targetFlags(compiler: Compiler, target: string): string[] {
  if (compiler.name !== 'zig') return [];
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const isMusl = target === hostTarget && process.platform === 'linux' && header.glibcVersionRuntime === undefined;
  return ['-target', isMusl ? zigTargets[target]!.replace(/gnu.*/, 'musl') : zigTargets[target]!];
}

function run({ command: [program, ...first] }: Compiler, args: readonly string[]): void {
  execFileSync(program!, [...first, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** What to compile: `extraFlags` are for tests, e.g. sanitizers. */
export interface Compilation {
  readonly compiler: Compiler;
  readonly target: string;
  /** Where the libraries and their manifest go. */
  readonly folder: string;
  readonly variants?: readonly string[];
  readonly extraFlags?: readonly string[];
}

/** Compiles the libraries of one target; returns the size of each in bytes. A manifest lies beside them. */
export function compileNative(compilation: Compilation): Record<string, number> {
  const { compiler, target, folder, variants = variantsOf(target), extraFlags = [] } = compilation;
  const work = mkdtempSync(join(tmpdir(), 'ostinato-native-'));
  const source = (name: string): string => fileURLToPath(new URL(`kernels/${name}`, packageRoot));
  const isWindows = target.startsWith('win32');
  const extension = isWindows ? 'dll' : target.startsWith('darwin') ? 'dylib' : 'so';
  const common = [...flags, ...targetFlags(compiler, target), ...(isWindows ? [] : ['-fPIC']), ...extraFlags];
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  try {
    // The question what the processor can do is asked of code that every processor can run.
    const processor = join(work, 'processor.o');
    run(compiler, [...common, ...warnings, '-c', source('processor.c'), '-o', processor]);
    mkdirSync(folder, { recursive: true });
    const libraries = variants.map(variant => {
      const file = `kernels-${variant}.${extension}`;
      const built = join(work, file);
      const strip = extraFlags.length === 0 && (compiler.name === 'zig' || target.startsWith('linux')) ? ['-s'] : [];
      const level = levelFlags(compiler, variant);
      // Else the library holds the path that it was linked at, and is another one every time.
      const name = target.startsWith('darwin') ? [`-Wl,-install_name,@rpath/${file}`] : [];
      run(compiler, [
        ...common,
        ...warnings,
        ...level,
        ...strip,
        ...name,
        '-shared',
        source('kernels.c'),
        processor,
        '-o',
        built,
      ]);
      // Renamed into place: a process that runs the old library keeps it, and would crash if its bytes changed.
      const unfinished = join(folder, `${process.pid}.unfinished`);
      copyFileSync(built, unfinished);
      renameSync(unfinished, join(folder, file));
      return { file, variant, sha256: createHash('sha256').update(readFileSync(built)).digest('hex') };
    });
    const manifest = { target, sources: sourceHash, compiler: `${compiler.name} ${compiler.version}`, libraries };
    writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    return Object.fromEntries(libraries.map(({ file, variant }) => [variant, statSync(join(folder, file)).size]));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
