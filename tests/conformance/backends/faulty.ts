import * as tf from '@tensorflow/tfjs-core';
import type { RegisterBackend } from '../inside/suite.ts';
import { register as registerOstinatoCpu } from './ostinato-cpu.ts';

/** What the faulty backend does instead of adding. */
export type Fault = 'subtracts' | 'never ends' | 'ends the process';

/** For the runner's own tests: our backend, but for `Add`. `options.fault` says what that does. */
export const register: RegisterBackend = async (name, { fault, ...options }) => {
  const registration = await registerOstinatoCpu(name, options);
  const kernels: Record<Fault, tf.KernelConfig['kernelFunc']> = {
    subtracts: tf.getKernel('Sub', 'ostinato-cpu').kernelFunc,
    'never ends': () => {
      for (;;);
    },
    'ends the process': () => process.exit(3),
  };
  tf.unregisterKernel('Add', name);
  tf.registerKernel({ kernelName: 'Add', backendName: name, kernelFunc: kernels[fault as Fault] });
  return registration;
};
