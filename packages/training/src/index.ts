export { type AccumulateState, accumulate } from './accumulate.ts';
export {
  type AdamOptions,
  type AdamState,
  type AdamVariantOptions,
  type AdamWOptions,
  adam,
  adamax,
  adamw,
  amsgrad,
  type NadamOptions,
  nadam,
  radam,
} from './adam.ts';
export {
  type AdadeltaOptions,
  type AdagradOptions,
  adadelta,
  adagrad,
  type RmspropOptions,
  rmsprop,
} from './adaptive.ts';
export {
  type RecurrentModel,
  type ResetMask,
  type TruncatedBpttOptions,
  truncatedBptt,
  type Window,
  type WindowGradients,
  type WindowLoss,
  type WindowLossOptions,
  type WindowsOptions,
  windowLoss,
  windows,
} from './bptt.ts';
export {
  type CaptureOptions,
  type Checkpoint,
  captureCheckpoint,
  checkCheckpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  type Json,
  type RestoreTarget,
  restoreCheckpoint,
  restoreState,
  type SavedState,
} from './checkpoint.ts';
export { clipByGlobalNorm, clipByValue, globalNorm, type NormOrder } from './clipping.ts';
export { WeightAverage } from './ema.ts';
export { type Batches, type FitOptions, fit } from './fit.ts';
export type {
  CheckpointEvent,
  FitEvent,
  NonFinite,
  StartEvent,
  StepEvent,
  StoppedEvent,
  ValidationEvent,
} from './fit-events.ts';
export type { StepContext, StepLoss } from './fit-step.ts';
export {
  type GradientNormsOptions,
  type GradientThroughTime,
  type GradientThroughTimeOptions,
  gradientNorms,
  gradientThroughTime,
  type Probe,
} from './gradient-through-time.ts';
export { type LionOptions, lion } from './lion.ts';
export {
  type BceArguments,
  bceWithLogits,
  type CrossEntropyArguments,
  type CrossEntropyOptions,
  crossEntropy,
  type DistributionArguments,
  type HuberOptions,
  huber,
  klDivergence,
  type LossOptions,
  mae,
  mse,
  type Reduction,
  type RegressionArguments,
  type SequenceCrossEntropyArguments,
  type SequenceCrossEntropyOptions,
  type SmoothL1Options,
  sequenceCrossEntropy,
  smoothL1,
  softCrossEntropy,
} from './losses.ts';
export { Optimizer, type OptimizerState, type OptimizerStateShape, type TensorForm } from './optimizer.ts';
export type { PerParameterState } from './per-parameter.ts';
export type { Plan, PlannedDescent, PlannedStep } from './plan.ts';
export { Plateau, type PlateauOptions, type PlateauState } from './plateau.ts';
export type { EarlyStopping, PlateauObserver } from './progress.ts';
export type { Proposal } from './proposal.ts';
export {
  checkQuantiles,
  type QuantileLossArguments,
  type QuantileLossOptions,
  quantileLoss,
} from './quantile-loss.ts';
export { scaleBySchedule, type WeightDecayOptions, weightDecay } from './scaling.ts';
export {
  type CosineOptions,
  type CosineWarmRestartsOptions,
  type CyclicOptions,
  constant,
  cosine,
  cosineWarmRestarts,
  cyclic,
  exponential,
  inverseSquareRoot,
  linear,
  multiStep,
  noam,
  type OneCycleOptions,
  oneCycle,
  type PolynomialOptions,
  polynomial,
  type Rate,
  type Schedule,
  stepDecay,
  type WarmupOptions,
  warmup,
} from './schedules.ts';
export { type SgdOptions, sgd } from './sgd.ts';
export {
  chain,
  freeze,
  type GradientTransform,
  masked,
  type PathPredicate,
  type Stateless,
  type TransformContext,
  type TransformResult,
  type TransformState,
} from './transform.ts';
