/**
 * The table of the kernels' functions: native code where there is a library for this machine, else the WebAssembly module.
 */

import { ResourceError } from '@ostinato/core';
import { loadNativeKernels } from '#native';
import { withFunctions } from './code-section.ts';
import { relaxed, simd } from './generated/kernels.ts';
import type { Kernels } from './kernels.ts';
import type { KernelMemory } from './memory.ts';
import type { NativeLevel, NativeReopen } from './native-outcome.ts';

/** Which build of the kernels runs, and why. */
export interface KernelInfo {
  /** Native code (`avx512`, `avx2`, `neon`), else WebAssembly; `relaxed-simd` has fused multiply-add, `simd` has not. */
  readonly level: NativeLevel | 'relaxed-simd' | 'simd';
  /** Why this level, and why nothing faster. */
  readonly reason: string;
  /** Whether views stay valid when the memory grows (it is a SharedArrayBuffer), and other threads can work on it. */
  readonly sharedMemory: boolean;
  /** Threads that large kernels run on; results do not depend on it. */
  readonly threads: number;
}

function decode(digits: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** The module with relaxed SIMD, from the other one. */
function relaxedModule(plain: Uint8Array): Uint8Array<ArrayBuffer> {
  return withFunctions(plain, Object.fromEntries(Object.entries(relaxed).map(([i, digits]) => [i, decode(digits)])));
}

/**
 * The module imports a memory that is not shared; one byte of the import says so (flag bits: 1 = has a maximum, 2 = shared).
 * Atomic instructions work on either, so nothing else differs.
 */
function withSharedMemory(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode('\x03env\x06memory\x02');
  const at = module.findIndex((_, index) => name.every((byte, offset) => module[index + offset] === byte));
  module[at + name.length]! |= 2;
  return module;
}

/** How a worker gets the kernels of its own that it runs: the module to instantiate, or the native library to open. */
export interface ReopenKernels {
  readonly module: WebAssembly.Module;
  readonly native?: NativeReopen;
}

/**
 * Instantiates the best build for this engine on `memory`, lets the memory's allocator begin above the kernels' own data, and
 * puts native code in its place where `native` allows and there is some. `small` is the table for small work: calling native
 * code costs as much as a few hundred elements.
 */
export function loadKernels(
  memory: KernelMemory,
  native: 'auto' | 'off',
): { kernels: Kernels; small: Kernels; reopen: ReopenKernels; info: Omit<KernelInfo, 'threads'> } {
  const plain = decode(simd);
  const fast = relaxedModule(plain);
  const hasRelaxed = WebAssembly.validate(fast);
  const bytes = hasRelaxed ? fast : plain;
  if (!WebAssembly.validate(bytes)) {
    throw new ResourceError({
      where: 'backend-cpu',
      rule: 'the kernels need WebAssembly with SIMD, which this engine lacks',
    });
  }
  const module = new WebAssembly.Module(memory.shared ? withSharedMemory(bytes) : bytes);
  const { exports } = new WebAssembly.Instance(module, { env: { memory: memory.memory } });
  const portable = exports as unknown as Kernels;
  memory.manage((exports['__heap_base'] as WebAssembly.Global).value as number);
  const compiled =
    native === 'off' ? { refused: "native code is switched off by native: 'off'" } : loadNativeKernels(memory);
  if (!('refused' in compiled)) {
    const { kernels, level, reason, reopen } = compiled;
    // Fused multiply-add gives the bits of native code.
    const small = hasRelaxed ? portable : kernels;
    return { kernels, small, reopen: { module, native: reopen }, info: { level, reason, sharedMemory: memory.shared } };
  }
  const reason = hasRelaxed
    ? 'this engine validates relaxed SIMD'
    : 'this engine does not validate relaxed SIMD (Node has it from 22 on, or with --experimental-wasm-relaxed-simd)';
  const info = {
    level: hasRelaxed ? ('relaxed-simd' as const) : ('simd' as const),
    reason: `${reason}; ${compiled.refused}`,
    sharedMemory: memory.shared,
  };
  return { kernels: portable, small: portable, reopen: { module }, info };
}
