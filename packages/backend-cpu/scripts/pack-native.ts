/**
 * `pnpm tarballs`, last part: packs the native kernels for this machine, compiled now where there is a C compiler, into the
 * folder that is named. Prints the tarball's path, or on standard error why there is none; WebAssembly runs then.
 */

import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileNative, findCompilers, hostTarget, zigTargets } from './compile-native.ts';
import { packageRoot } from './sources.ts';

const [destination = '.'] = process.argv.slice(2);
const [compiler] = findCompilers();
if (compiler === undefined || !(hostTarget in zigTargets)) {
  console.error(`no native kernels among the tarballs: there is no C compiler for ${hostTarget} here`);
} else {
  const folder = fileURLToPath(new URL(`native/${hostTarget}/`, packageRoot));
  compileNative({ compiler, target: hostTarget, folder });
  // Without scripts: `prepack` would check what was built just now, and print before the JSON.
  const command = ['pack', '--json', '--config.ignore-scripts=true', '--pack-destination', resolve(destination)];
  // The pnpm that runs this, else the one of `packageManager`; a file of JavaScript, as Windows needs it.
  const pnpm = process.env['npm_execpath'] ?? '';
  const [program, ...first] = /pnpm[^/\\]*\.c?js$/.test(pnpm)
    ? [process.execPath, pnpm]
    : ['npx', '-y', 'pnpm@10.34.9'];
  const shell = program === 'npx' && process.platform === 'win32';
  const printed = execFileSync(program!, [...first, ...command], { cwd: folder, encoding: 'utf8', shell });
  console.log((JSON.parse(printed) as { filename: string }).filename);
}
