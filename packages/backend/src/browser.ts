import { type StartOptions, startFirst, tryAll } from './choose.ts';
import { type Engine, refusing } from './engine.ts';
import { cpu, cuda, tfjsCpu, webgpu } from './engines.ts';
import type { Candidate, StartReport } from './report.ts';

const engines: readonly Engine[] = [refusing(cuda, 'needs Node: a page has no CUDA'), webgpu, cpu, tfjsCpu];

/**
 * Picks and starts an engine in a page or a worker: the first of `prefer` that runs here.
 *
 * @throws ArgumentError when a name is unknown, listing the names; ResourceError when none can run, with every reason
 */
export function start(options: StartOptions = {}): Promise<StartReport> {
  return startFirst(engines, options);
}

/** Every engine, whether it can run in this page, and why not. The active backend stays as it was. */
export function listEngines(): Promise<Candidate[]> {
  return tryAll(engines);
}

export type { StartOptions } from './choose.ts';
export { type Candidate, type EngineName, engineNames, type StartReport } from './report.ts';
