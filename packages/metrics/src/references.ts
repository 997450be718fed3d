import { MetricError } from './errors.ts';

/**
 * What hypotheses are compared with: for each hypothesis its reference, or all its references. (sacreBLEU and its files have
 * it the other way round: one list of references for the whole corpus after the other.)
 */
export type References = readonly (string | readonly string[])[];

/** The version of sacreBLEU whose figures ours are equal to; signatures end with it. */
export const sacrebleuVersion = '2.6.0';

/** @throws MetricError unless every hypothesis is text and has at least one reference */
export function checkCorpus(where: string, hypotheses: readonly string[], references: References): void {
  if (typeof (hypotheses as unknown) === 'string') {
    const advice = 'For one sentence take the function whose name begins with sentence.';
    throw new MetricError({ where, rule: 'hypotheses must be a list of texts', got: 'one text', advice });
  }
  if (hypotheses.length === 0)
    throw new MetricError({ where, rule: 'there must be at least one hypothesis', got: 'none' });
  if (hypotheses.length !== references.length) {
    throw new MetricError({
      where,
      rule: 'every hypothesis needs its references',
      expected: `${hypotheses.length} entries`,
      got: `${references.length}`,
      advice: 'references[i] holds all references of hypothesis i.',
    });
  }
  hypotheses.forEach((hypothesis, i) => {
    checkText(where, `hypotheses[${i}]`, hypothesis);
    const each = referencesOf(references, i);
    if (each.length === 0) {
      throw new MetricError({ where, rule: `references[${i}] must hold at least one reference`, got: 'none' });
    }
    each.forEach((reference, k) => {
      checkText(where, `references[${i}][${k}]`, reference);
    });
  });
}

function checkText(where: string, name: string, value: unknown): void {
  if (typeof value !== 'string') throw new MetricError({ where, rule: `${name} must be text`, got: typeof value });
}

/** The references of hypothesis `i` as a list. */
export function referencesOf(references: References, i: number): readonly string[] {
  const each = references[i]!;
  return typeof each === 'string' ? [each] : each;
}

/** `nrefs` of a signature: how many references each hypothesis has, or `var` when that differs. */
export function countReferences(references: References): string {
  const counts = new Set(references.map((_, i) => referencesOf(references, i).length));
  return counts.size === 1 ? String([...counts][0]) : 'var';
}

/** A signature as sacreBLEU prints it: `nrefs:1|case:mixed|…|version:2.6.0`. */
export function signature(fields: Readonly<Record<string, string | number>>): string {
  return Object.entries({ ...fields, version: sacrebleuVersion })
    .map(([name, value]) => `${name}:${value}`)
    .join('|');
}

export const yesOrNo = (value: boolean): 'yes' | 'no' => (value ? 'yes' : 'no');
