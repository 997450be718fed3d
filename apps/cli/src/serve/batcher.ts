/** Work that waits for the model. */
export interface Job<Request> {
  readonly request: Request;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Hands out a part of the answer before the whole. */
  readonly piece: (piece: object) => void;
  readonly finish: (answer: object) => void;
  readonly fail: (error: unknown) => void;
}

/** Aborted when nobody waits for any of the jobs any more. */
export function nobodyWaits(jobs: readonly Pick<Job<unknown>, 'signal'>[]): AbortSignal {
  const controller = new AbortController();
  let waiting = jobs.length;
  const gone = (): void => {
    if (--waiting === 0) controller.abort(new DOMException('nobody waits for the answer', 'AbortError'));
  };
  for (const { signal } of jobs) {
    if (signal.aborted) gone();
    else signal.addEventListener('abort', gone, { once: true });
  }
  return controller.signal;
}

/** Options of `Batcher`. */
export interface BatcherOptions<Request> {
  /** Computes jobs of one kind together; each is finished or failed. Their signals may be aborted at any time. */
  readonly run: (jobs: readonly Job<Request>[]) => Promise<void>;
  /** Which jobs may be computed together: those of one key. */
  readonly kind: (request: Request) => string;
  /** Most jobs of a batch. */
  readonly maximumBatch: number;
  /** Milliseconds that a job waits for others. */
  readonly maximumWait: number;
  /** Most jobs that wait. */
  readonly maximumQueue: number;
}

/** Puts jobs that wait into batches, and runs one batch at a time: there is one model. */
export class Batcher<Request> {
  readonly #options: BatcherOptions<Request>;
  #waiting: Job<Request>[] = [];
  #running: Promise<void> | null = null;
  #jobsRunning = 0;

  constructor(options: BatcherOptions<Request>) {
    this.#options = options;
  }

  /** Jobs that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Jobs of the batch that is computed now. */
  get running(): number {
    return this.#jobsRunning;
  }

  /** Takes a job; false when too many wait. */
  submit(job: Job<Request>): boolean {
    this.#waiting = this.#waiting.filter(({ signal }) => !signal.aborted);
    if (this.#waiting.length >= this.#options.maximumQueue) return false;
    this.#waiting.push(job);
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
    });
    return true;
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #work(): Promise<void> {
    const { run, kind, maximumBatch, maximumWait } = this.#options;
    while (this.#waiting.length > 0) {
      await new Promise(resolve => setTimeout(resolve, maximumWait));
      this.#waiting = this.#waiting.filter(({ signal }) => !signal.aborted);
      const [first] = this.#waiting;
      if (first === undefined) continue;
      const key = kind(first.request);
      const batch = this.#waiting.filter(({ request }) => kind(request) === key).slice(0, maximumBatch);
      this.#waiting = this.#waiting.filter(job => !batch.includes(job));
      this.#jobsRunning = batch.length;
      try {
        await run(batch);
      } catch (error) {
        for (const job of batch) job.fail(error);
      } finally {
        this.#jobsRunning = 0;
      }
    }
  }
}
