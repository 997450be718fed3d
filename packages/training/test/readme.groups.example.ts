import '@tensorflow/tfjs'; // an engine for the tensors
import { Linear, Module, parameters } from '@ostinato/core';
import { adam, adamw, chain, clipByGlobalNorm, masked, Optimizer } from '@ostinato/training';

class Model extends Module {
  readonly encoder = new Linear({ inputSize: 4, outputSize: 8 });
  readonly head = new Linear({ inputSize: 8, outputSize: 2 });
}

const isEncoder = (path: string): boolean => path.startsWith('encoder.');
export const optimizer = new Optimizer(
  chain(
    clipByGlobalNorm(1),
    masked(isEncoder, adamw({ learningRate: 1e-4 })),
    masked(path => !isEncoder(path), adam({ learningRate: 1e-3 })),
  ),
  parameters(new Model()),
);
