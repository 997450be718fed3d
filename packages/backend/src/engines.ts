import * as tf from '@tensorflow/tfjs-core';
import { type Engine, notBuiltYet } from './engine.ts';

/** Ostinato's own engine, in Node and in browsers. */
export const cpu: Engine = {
  name: 'cpu',
  description: "Ostinato's own engine: kernels made for training, in WebAssembly or native code",
  async load() {
    const { kernelInfo } = await import('@ostinato/backend-cpu');
    return { backend: 'ostinato-cpu', details: () => ({ ...kernelInfo() }) };
  },
};

/** The stock TensorFlow.js backend in plain JavaScript. */
export const tfjsCpu: Engine = {
  name: 'tfjs-cpu',
  description: 'the stock TensorFlow.js backend in plain JavaScript; slow, for comparison',
  async load() {
    await import('@ostinato/backend-cpu'); // registers the stock backend it extends, and the gradients
    if (tf.findBackendFactory('cpu') === null) throw new Error("the backend 'cpu' is not registered");
    return { backend: 'cpu', details: () => ({}) };
  },
};

/** TensorFlow's own kernels on an NVIDIA GPU. */
export const cuda: Engine = notBuiltYet('cuda', "TensorFlow's kernels on an NVIDIA GPU (@ostinato/backend-cuda)");

/** Fused WGSL kernels on any GPU that has WebGPU. */
export const webgpu: Engine = notBuiltYet('webgpu', 'kernels for any GPU with WebGPU (@ostinato/backend-webgpu)');
