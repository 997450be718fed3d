/** Prints one line for people; standard error under `--json`. */
export type Report = (line: string) => void;

/** Every figure and ratio of a run, by name. */
export type Figures = Record<string, string | number | boolean | null | Record<string, unknown>>;

interface BenchmarkOptions {
  /** Fewer repetitions and only the small sizes. */
  readonly quick: boolean;
}

export type Benchmark = (report: Report, options: BenchmarkOptions) => Promise<Figures>;

/** Milliseconds of the fastest of `repetitions` runs, after one that is not counted. */
export async function fastest(repetitions: number, run: () => unknown, warmUp = 1): Promise<number> {
  let best = Infinity;
  for (let i = -warmUp; i < repetitions; i++) {
    const start = performance.now();
    await run();
    const elapsed = performance.now() - start;
    if (i >= 0) best = Math.min(best, elapsed);
  }
  return best;
}

/** Milliseconds of the fastest run among as many as fit so many milliseconds, at least three; two before are not counted. */
export async function fastestWithin(budget: number, run: () => unknown): Promise<number> {
  const once = await fastest(1, run, 1);
  return Math.min(once, await fastest(Math.max(3, Math.min(200, Math.floor(budget / once))), run, 0));
}
