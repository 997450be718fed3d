// Setup of the sanitizer run: memory that no tensor owns is poisoned, so that a kernel that reads or writes beside its
// operands ends the process with a report. 64 bytes between two blocks stay free.
import { createRequire } from 'node:module';
import { KernelMemory } from '../../src/memory.ts';

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
const sanitizer = koffi.load(process.env['OSTINATO_ASAN']!);
const poison = sanitizer.func('__asan_poison_memory_region', 'void', ['void *', 'size_t']);
const unpoison = sanitizer.func('__asan_unpoison_memory_region', 'void', ['void *', 'size_t']);

const { allocate, release } = KernelMemory.prototype;
const sizes = new WeakMap<KernelMemory, Map<number, number>>();

KernelMemory.prototype.allocate = function (bytes) {
  const address = allocate.call(this, bytes + 64);
  if (!sizes.has(this)) sizes.set(this, new Map());
  sizes.get(this)!.set(address, bytes);
  poison(new Uint8Array(this.memory.buffer, address), Math.ceil(bytes / 64) * 64 + 64);
  unpoison(new Uint8Array(this.memory.buffer, address), bytes);
  return address;
};

KernelMemory.prototype.release = function (address) {
  const bytes = sizes.get(this)?.get(address) ?? 0;
  release.call(this, address);
  poison(new Uint8Array(this.memory.buffer, address), bytes);
};
