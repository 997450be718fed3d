/**
 * The kernels' WebAssembly module: which build this engine runs, and the table of its functions.
 */

import { ResourceError } from '@ostinato/core';
import { relaxed, simd } from './generated/kernels.ts';
import type { Kernels } from './kernels.ts';
import type { KernelMemory } from './memory.ts';

/** Which build of the kernels runs, and why. */
export interface KernelInfo {
  /** `relaxed-simd` has fused multiply-add and is the faster one. */
  readonly level: 'relaxed-simd' | 'simd';
  readonly reason: string;
  /** Whether views stay valid when the memory grows (it is a SharedArrayBuffer), and other threads can work on it. */
  readonly sharedMemory: boolean;
  /** Threads that large kernels run on; results do not depend on it. */
  readonly threads: number;
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
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

/** Compiles the best build for this engine on `memory`, and lets the memory's allocator begin above the kernels' own data. */
export function loadKernels(memory: KernelMemory): {
  kernels: Kernels;
  module: WebAssembly.Module;
  info: Omit<KernelInfo, 'threads'>;
} {
  const fast = decode(relaxed);
  const hasRelaxed = WebAssembly.validate(fast);
  const bytes = hasRelaxed ? fast : decode(simd);
  if (!WebAssembly.validate(bytes)) {
    throw new ResourceError({
      where: 'backend-cpu',
      rule: 'the kernels need WebAssembly with SIMD, which this engine lacks',
    });
  }
  const module = new WebAssembly.Module(memory.shared ? withSharedMemory(bytes) : bytes);
  const { exports } = new WebAssembly.Instance(module, { env: { memory: memory.memory } });
  memory.manage((exports['__heap_base'] as WebAssembly.Global).value as number);
  const info = {
    level: hasRelaxed ? ('relaxed-simd' as const) : ('simd' as const),
    reason: hasRelaxed
      ? 'this engine validates relaxed SIMD'
      : 'this engine does not validate relaxed SIMD (Node has it from 22 on, or with --experimental-wasm-relaxed-simd)',
    sharedMemory: memory.shared,
  };
  return { kernels: exports as unknown as Kernels, module, info };
}
