export { type Cell, disposeState, mapState, type State, type StepResult, selectRows, stateTensors } from './cell.ts';
export { type Axis, checkChoice, checkNumber, checkShape, type NumberRange } from './check.ts';
export { type CallOptions, Dropout, type DropoutLayerOptions } from './dropout.ts';
export {
  ArgumentError,
  atPath,
  type ErrorKind,
  type ErrorParts,
  FormatError,
  isOstinatoError,
  NonFiniteError,
  OstinatoError,
  ResourceError,
  ShapeError,
} from './errors.ts';
export { yieldToEvents } from './event-loop.ts';
export { type Gradients, stopGradient, type ValueAndGrad, valueAndGrad } from './gradient.ts';
export {
  constant,
  fanInUniform,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  identity,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  perGate,
  spectralRadius,
  truncatedNormal,
  uniform,
  zeros,
} from './initializers.ts';
export { initialParameter, Linear, type LinearOptions, linear, variable } from './linear.ts';
export { isModule, Module, type Parameters, parameters, select } from './module.ts';
export { LayerNorm, type LayerNormOptions, RMSNorm, type RMSNormOptions } from './normalization.ts';
export { type FusedOp, hasKernel, runFused, runKernel } from './op.ts';
export { type DropoutOptions, dropout, dropoutMask } from './ops/dropout.ts';
export { type LayerNormArguments, layerNorm } from './ops/layer-norm.ts';
export { type RmsNormArguments, rmsNorm } from './ops/rms-norm.ts';
export type { Complete } from './options.ts';
export { normalQuantile, portableLog, Rng, type RngState } from './rng.ts';
export { selectWhere } from './select-where.ts';
export { type Summary, type SummaryRow, summary } from './summary.ts';
export { type Key, threefry } from './threefry.ts';
