/** How one spec ended. */
export interface Outcome {
  /** Its file, as in `ops/mat_mul`. */
  readonly file: string;
  readonly name: string;
  /** `passed`, or as jasmine says: `failed`, `pending`, `excluded`. */
  readonly status: string;
  /** Why it failed, else empty. */
  readonly message: string;
}

/** What the specs report from the process or page that they run in. */
export type SpecEvent =
  | { readonly kind: 'missing'; readonly reason: string }
  | { readonly kind: 'begin'; readonly specs: number; readonly engine: string }
  | { readonly kind: 'started'; readonly file: string; readonly name: string }
  | { readonly kind: 'ended'; readonly outcome: Outcome }
  | { readonly kind: 'finished' };
