import '@tensorflow/tfjs'; // an engine for the tensors
import { Linear, parameters, Rng } from '@ostinato/core';
import { assignParameters, parametersToBytes, readSafetensors } from '@ostinato/weights';

const trained = new Linear({ inputSize: 4, outputSize: 2, rng: new Rng(1) });
const bytes = await parametersToBytes(parameters(trained), { dtype: 'F16' });

const fresh = new Linear({ inputSize: 4, outputSize: 2 });
assignParameters(parameters(fresh), readSafetensors(bytes).tensors);
