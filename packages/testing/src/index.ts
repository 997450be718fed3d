export { allClose, type Difference, engineTolerance, type MatcherResult, matchers, type Numbers } from './close.ts';
export { type GradCheckOptions, type GradCheckResult, gradCheck } from './gradient-check.ts';
export { countKernels, type KernelCount } from './kernels.ts';
export { expectNoLeak } from './leak.ts';
export {
  type AddingBatch,
  addingProblem,
  copyTask,
  firstTokenRecall,
  parityTask,
  reverseTask,
  sortTask,
  type TaskSizes,
  type TokenBatch,
} from './toy-tasks.ts';
