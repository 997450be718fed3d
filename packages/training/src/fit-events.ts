/** What a run reports, in order: `start`, then steps, validations and checkpoints, and `stopped` at the end. */
export type FitEvent = StartEvent | StepEvent | ValidationEvent | CheckpointEvent | StoppedEvent;

/** The run begins, at `step` steps already done. */
export interface StartEvent {
  readonly event: 'start';
  readonly step: number;
  readonly steps: number;
}

/** An update was made. */
export interface StepEvent {
  readonly event: 'step';
  /** Steps done, this one included. */
  readonly step: number;
  /** Of this step's batch, before the update. */
  readonly loss: number;
  /** Euclidean norm of all gradients, as they came, before clipping. */
  readonly gradientNorm: number;
  /** Euclidean norm of what was added to the parameters. */
  readonly updateNorm: number;
  /** Null when the optimizer has none. */
  readonly learningRate: number | null;
  readonly stepsPerSecond: number;
  /** Since the last `step` event. Null when the loss does not say how many tokens it saw. */
  readonly tokensPerSecond: number | null;
  /** Expected time to the last step, at the pace of this run so far. */
  readonly secondsLeft: number;
}

/** `validate` ran. */
export interface ValidationEvent {
  readonly event: 'validation';
  readonly step: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether early stopping's metric is the best so far; null without early stopping. */
  readonly best: boolean | null;
}

/** `checkpoint.save` has finished. */
export interface CheckpointEvent {
  readonly event: 'checkpoint';
  readonly step: number;
}

/** A tensor that is NaN or infinite. */
export interface NonFinite {
  /** `norm`: every gradient and update is finite, but a sum of their squares is not. */
  readonly kind: 'parameter' | 'loss' | 'gradient' | 'update' | 'norm';
  /** Path of the parameter; empty for `loss` and `norm`. */
  readonly path: string;
}

/**
 * The run is over. `steps`: as many as asked for; `aborted`: by the signal; `early`: the metric stopped improving;
 * `non-finite`: a step was refused, and everything is as it was before that step; `exhausted`: there were no more batches.
 */
export type StoppedEvent =
  | {
      readonly event: 'stopped';
      readonly step: number;
      readonly reason: 'steps' | 'aborted' | 'early' | 'exhausted';
      readonly nonFinite?: undefined;
    }
  | {
      readonly event: 'stopped';
      readonly step: number;
      readonly reason: 'non-finite';
      /** What was not finite. */
      readonly nonFinite: NonFinite;
    };
