import { OstinatoCpuBackend } from '@ostinato/backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { RegisterBackend } from '../inside/suite.ts';

/** Where the best build is relaxed SIMD, the next best, as on an engine without it. */
function withoutRelaxed<Result>(body: () => Result): Result {
  const { validate } = WebAssembly;
  let asked = 0;
  WebAssembly.validate = bytes => asked++ > 0 && validate(bytes);
  try {
    return body();
  } finally {
    WebAssembly.validate = validate;
  }
}

/** `options` are `EngineOptions` of variants.ts. The gradients come with the package, as they do for its users. */
export const register: RegisterBackend = async (name, { level, threads }) => {
  const create = (): OstinatoCpuBackend =>
    new OstinatoCpuBackend({ threads: threads as number, native: level === 'native' ? 'auto' : 'off' });
  const backend = level === 'simd' ? withoutRelaxed(create) : create();
  const { info, team } = backend;
  const found = info.level.endsWith('simd') ? info.level : 'native';
  if (found !== level) return { missing: info.reason };
  if (team.wanted !== threads) return { missing: `${team.wanted} thread, without shared memory` };
  const threadsFor = team.threadsFor.bind(team);
  const everyKernel = Number.MAX_SAFE_INTEGER;
  team.threadsFor = () => threadsFor(everyKernel);
  while (team.threadsFor(everyKernel) < team.wanted) await new Promise(resolve => setTimeout(resolve, 5));
  tf.registerBackend(name, () => backend);
  tf.copyRegisteredKernels('ostinato-cpu', name);
  const memory = info.sharedMemory ? 'memory shared' : 'memory not shared';
  return { engine: `${info.level}, ${info.threads} ${info.threads === 1 ? 'thread' : 'threads'}, ${memory}` };
};
