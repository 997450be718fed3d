export { type DType, fromFloat32, type SafeTensor, type TensorData, toFloat32 } from './dtype.ts';
export { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half.ts';
export {
  type AssignOptions,
  type AssignReport,
  assignParameters,
  checkParameters,
  type ParametersToBytesOptions,
  parametersToBytes,
  readTensors,
} from './parameters.ts';
export { type ReadOptions, readSafetensors, type SafeTensors } from './read.ts';
export { type WriteArguments, writeSafetensors } from './write.ts';
