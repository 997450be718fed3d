export type { StartOptions } from './choose.ts';
export { type Candidate, type EngineName, engineNames, type StartReport } from './report.ts';
