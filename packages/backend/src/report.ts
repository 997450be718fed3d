/** The engines that can be asked for, best first on a machine that has them all. */
export const engineNames = ['cuda', 'webgpu', 'cpu', 'tfjs-cpu'] as const;

/** Name of an engine: see `engineNames`. */
export type EngineName = (typeof engineNames)[number];

/** What is known of one engine on this machine. */
export interface Candidate {
  readonly name: EngineName;
  /** Whether it was started, or could be. */
  readonly available: boolean;
  /** One sentence: what it is when available, what is missing when not. */
  readonly reason: string;
  /** Further facts, e.g. `{ backend: 'ostinato-cpu', simd: true, threads: 1 }`. Empty when not available. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** What `start` returns. */
export interface StartReport {
  /** The engine that runs now. */
  readonly engine: EngineName;
  /** The TensorFlow.js backend behind it: `tf.getBackend()`. */
  readonly backend: string;
  /** Why this one, in one sentence. */
  readonly why: string;
  /** Every engine that was tried, in the order of the preference; the last one is `engine`. */
  readonly candidates: readonly Candidate[];
}
