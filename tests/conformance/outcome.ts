/** What became of one spec. */
export interface SpecResult {
  /** Names of the suites and of the spec, joined. */
  readonly name: string;
  /** Jasmine's word: passed, failed, pending, excluded. */
  readonly status: string;
  /** The first failed expectation, '' when there is none. */
  readonly message: string;
}

/** The specs of a run by their names; a name that several specs share stands for all of them, and passes when they all do. */
function byName(results: readonly SpecResult[]): Map<string, SpecResult> {
  const named = new Map<string, SpecResult>();
  for (const result of results) {
    const other = named.get(result.name);
    if (other === undefined || other.status === 'passed') named.set(result.name, result);
  }
  return named;
}

/** How a variant compares with the stock backend, counted by name. */
export interface Comparison {
  readonly passed: number;
  /** Specs that the stock backend passes and the variant does not. */
  readonly failed: readonly SpecResult[];
  /** Specs that the stock backend does not pass either, or that tfjs-core describes for the backend named `cpu` alone. */
  readonly skipped: number;
}

/** Holds a run that came to its end against that of the stock backend. */
export function compare(stock: readonly SpecResult[], variant: readonly SpecResult[]): Comparison {
  const results = byName(variant);
  const failed: SpecResult[] = [];
  let passed = 0;
  let skipped = 0;
  for (const { name, status } of byName(stock).values()) {
    const result = results.get(name);
    if (status !== 'passed' || result === undefined) skipped++;
    else if (result.status === 'passed') passed++;
    else failed.push(result);
  }
  return { passed, failed, skipped };
}
