import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import * as tf from '@tensorflow/tfjs-core';
import type { RegisterBackend } from '../inside/suite.ts';

export const register: RegisterBackend = async name => {
  tf.registerBackend(name, tf.findBackendFactory('cpu'));
  tf.copyRegisteredKernels('cpu', name);
  return { engine: 'stock cpu' };
};
