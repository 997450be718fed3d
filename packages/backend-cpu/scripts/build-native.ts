/**
 * `pnpm native`: compiles the kernels to native code for this machine, into `native/<platform>-<arch>/`, with the first of
 * zig, clang and gcc that is there. `--target NAME…` cross-compiles with zig, `--target all` for all targets.
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Compiler, compileNative, findCompilers, hostTarget, zigTargets } from './compile-native.ts';
import { packageRoot } from './sources.ts';

const getZig = '`python3 -m pip install ziglang`, or https://ziglang.org/download';

function fail(message: string): never {
  console.error(`pnpm native: ${message}`);
  process.exit(1);
}

function chooseCompiler(target: string, compilers: readonly Compiler[]): Compiler {
  const fitting = compilers.find(({ name }) => name === 'zig' || target === hostTarget);
  if (fitting) return fitting;
  if (target !== hostTarget) fail(`${target} is another machine, which needs zig: ${getZig}.`);
  fail(
    `no C compiler. Install one of these and run it again: zig (${getZig}), clang or gcc 12 (Debian: apt install gcc; ` +
      'macOS: xcode-select --install). Without, everything runs on WebAssembly.',
  );
}

const { values, positionals } = parseArgs({
  options: { target: { type: 'string', multiple: true } },
  allowPositionals: true,
});
const known = Object.keys(zigTargets);
const asked = [...(values.target ?? []), ...positionals];
const targets = asked.length === 0 ? [hostTarget] : asked.includes('all') ? known : asked;
for (const target of targets) {
  if (!known.includes(target)) fail(`unknown target ${target}, expected ${known.join(' | ')}.`);
}
const compilers = findCompilers();
for (const target of targets) {
  const compiler = chooseCompiler(target, compilers);
  const folder = fileURLToPath(new URL(`native/${target}/`, packageRoot));
  const start = performance.now();
  let sizes: Record<string, number>;
  try {
    sizes = compileNative({ compiler, target, folder });
  } catch (error) {
    fail(`${compiler.name} ${compiler.version} failed for ${target}: ${(error as Error).message.split('\n')[0]}`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const kilobytes = Object.entries(sizes).map(([variant, size]) => `${variant} ${Math.round(size / 1024)} kB`);
  console.log(`${target}: ${kilobytes.join(', ')}; ${compiler.name} ${compiler.version}, ${seconds} s`);
}
