import { ArgumentError, ResourceError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Engine } from './engine.ts';
import type { Candidate, EngineName, StartReport } from './report.ts';

/** Options of `start`. */
export interface StartOptions {
  /** Engines to try, in this order. Default `['cpu']`, which needs no GPU and no download. */
  readonly prefer?: readonly EngineName[] | undefined;
}

interface Attempt {
  readonly candidate: Candidate;
  readonly backend: string | null;
}

/** Loads `engine` and makes its backend the active one. */
async function attempt(engine: Engine): Promise<Attempt> {
  const refused = (reason: string): Attempt => ({
    candidate: { name: engine.name, available: false, reason, details: {} },
    backend: null,
  });
  try {
    const { backend, details } = await engine.load();
    if (!(await tf.setBackend(backend))) return refused(`the TensorFlow.js backend '${backend}' did not start`);
    return {
      candidate: {
        name: engine.name,
        available: true,
        reason: engine.description,
        details: { backend, ...details() },
      },
      backend,
    };
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error));
  }
}

/** Makes the backend that was active before the active one; nothing was when it has no name. */
async function activate(backend: string | undefined): Promise<void> {
  if (backend) await tf.setBackend(backend);
  // TensorFlow.js has no function for it: this is the state that its engine begins with.
  else Object.assign(tf.engine(), { backendName: undefined, backendInstance: null });
}

function checkNames(where: string, names: readonly string[], engines: readonly Engine[]): void {
  const known = engines.map(engine => engine.name as string);
  const expected = known.map(name => `'${name}'`).join(' | ');
  if (!Array.isArray(names)) {
    throw new ArgumentError({
      where,
      rule: 'prefer must be an array',
      expected,
      got: String(names),
      advice: "Write `prefer: ['cpu']`.",
    });
  }
  if (names.length === 0) {
    throw new ArgumentError({ where, rule: 'prefer must name at least one engine', expected, got: '[]' });
  }
  for (const name of names) {
    if (known.includes(name)) continue;
    throw new ArgumentError({ where, rule: 'unknown engine', expected, got: `'${name}'` });
  }
}

/** Why the last of `candidates` was taken. */
function reasonFor(candidates: readonly Candidate[], { prefer }: StartOptions): string {
  if (prefer === undefined) return 'it is the default: it needs no GPU and no download';
  if (prefer.length === 1) return 'it is the engine that was asked for';
  const refused = candidates.slice(0, -1).map(({ name, reason }) => `${name} (${reason})`);
  return refused.length === 0
    ? 'it is the first that was asked for'
    : `the ones before it were refused: ${refused.join('; ')}`;
}

/** Starts the first engine of `prefer` that runs. `start` of `./node` and `./browser` are this, with their engines. */
export async function startFirst(engines: readonly Engine[], options: StartOptions = {}): Promise<StartReport> {
  const { prefer = ['cpu'] } = options;
  checkNames('start', prefer, engines);
  const previous = tf.engine().backendName;
  const candidates: Candidate[] = [];
  for (const name of prefer) {
    const { candidate, backend } = await attempt(engines.find(engine => engine.name === name)!);
    candidates.push(candidate);
    if (backend !== null) {
      return { engine: name, backend, why: reasonFor(candidates, options), candidates };
    }
  }
  await activate(previous);
  throw new ResourceError({
    where: 'start',
    rule: `none of the preferred engines can run here`,
    got: candidates.map(({ name, reason }) => `${name} (${reason})`).join('; '),
    advice: 'The engine `cpu` runs everywhere.',
  });
}

/** Tries every engine, and leaves the active backend as it was: what can run here, and why not. */
export async function tryAll(engines: readonly Engine[]): Promise<Candidate[]> {
  const previous = tf.engine().backendName;
  const candidates: Candidate[] = [];
  for (const engine of engines) candidates.push((await attempt(engine)).candidate);
  await activate(previous);
  return candidates;
}
