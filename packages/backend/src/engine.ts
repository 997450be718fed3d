import type { Candidate, EngineName } from './report.ts';

/** How to load one engine. */
export interface Engine {
  readonly name: EngineName;
  /** One sentence: what it is. */
  readonly description: string;
  /**
   * Loads the engine and registers its TensorFlow.js backend and the gradients.
   *
   * @returns the backend's name and facts for the report
   * @throws when it cannot run here; the message is the reason
   */
  load(): Promise<LoadedEngine>;
}

/** What `Engine.load` gives. */
interface LoadedEngine {
  /** A name for `tf.setBackend`. */
  readonly backend: string;
  /** Facts of the engine; asked once the backend is active. */
  details(): Candidate['details'];
}

/** The same engine where it cannot run, for `reason`. */
export function refusing(engine: Engine, reason: string): Engine {
  return { ...engine, load: () => Promise.reject(new Error(reason)) };
}

/** An engine that Ostinato names and cannot start yet. */
export function notBuiltYet(name: EngineName, description: string): Engine {
  return refusing({ name, description } as Engine, `not built yet: ${description}`);
}
