export { type BeamSearchOptions, beamSearch } from './beam-search.ts';
export type { AttendingStep, AttendingStepOutput } from './carried-state.ts';
export {
  type FilterOptions,
  filterLogits,
  keepMinP,
  keepTopK,
  keepTopP,
  keepTypical,
  scaleByTemperature,
} from './filters.ts';
export {
  type FinishReason,
  type GenerateBatchOptions,
  type GeneratedToken,
  type GenerateOptions,
  generate,
  generateBatch,
  type RowOverrides,
  type Step,
  type StepOutput,
} from './generate.ts';
export type { Hypothesis, LengthPenalty } from './hypothesis.ts';
export { blockRepeatedNgrams, penalizeRepetition, suppressTokens } from './penalties.ts';
export { argMax, type ChooseOptions, chooseToken, type SamplingOptions, sampleInverse } from './sample.ts';
export { type ScoreTargetsOptions, scoreTargets, type TargetScore } from './score-targets.ts';
export { logSoftmax, softmax } from './softmax.ts';
