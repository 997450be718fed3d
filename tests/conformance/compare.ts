import type { Outcome } from './events.ts';

/** A backend's outcomes beside those of the stock one. */
export interface Comparison {
  readonly passed: number;
  /** Specs that pass on the stock backend only. */
  readonly failed: readonly Outcome[];
  /** How many specs do not pass on the stock backend either. */
  readonly skipped: number;
}

/**
 * Compares spec by spec: each one that passes on the stock backend must pass, and so must those that only this run has. A
 * spec that did not run has not passed.
 */
export function compareOutcomes(stock: readonly Outcome[], ours: readonly Outcome[]): Comparison {
  const unmatched = byName(ours);
  const failed: Outcome[] = [];
  let passed = 0;
  let skipped = 0;
  for (const [key, expected] of byName(stock)) {
    const outcome = unmatched.get(key);
    unmatched.delete(key);
    if (expected.status !== 'passed') skipped++;
    else if (outcome?.status === 'passed') passed++;
    else failed.push(outcome ?? { ...expected, status: 'missing', message: 'did not run' });
  }
  for (const outcome of unmatched.values()) {
    if (outcome.status === 'passed') passed++;
    else failed.push(outcome);
  }
  return { passed, failed, skipped };
}

/** Outcomes by file and name; the suite uses some names twice, so that a name's second spec gets a number. */
function byName(outcomes: readonly Outcome[]): Map<string, Outcome> {
  const result = new Map<string, Outcome>();
  for (const outcome of outcomes) {
    const name = `${outcome.file} ${outcome.name}`;
    let key = name;
    for (let count = 2; result.has(key); count++) key = `${name} #${count}`;
    result.set(key, outcome);
  }
  return result;
}

/** A failed spec on one line. */
export function describeFailure({ file, name, status, message }: Outcome): string {
  const reason = (message || status).replace(/\s+/g, ' ');
  return `${file}: ${name}: ${reason.length > 300 ? `${reason.slice(0, 300)}…` : reason}`;
}
