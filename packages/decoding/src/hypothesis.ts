import { checkNumber } from '@ostinato/core';

/**
 * What a log-probability is divided by, so that long hypotheses stand a chance: `gnmt` ((5 + length) / 6)^α (Wu et al. 2016,
 * arXiv:1609.08144, eq. 14) · `average` length^α, with α = 1 the mean per token · `none` 1. Lengths count the end token.
 */
export interface LengthPenalty {
  readonly kind: 'gnmt' | 'average' | 'none';
  /** α ≥ 0. Default 1. */
  readonly alpha?: number | undefined;
}

/** A way of going on, and how likely the model finds it. */
export interface Hypothesis {
  /** Tokens behind the prompt, the end token included. */
  readonly tokens: Int32Array;
  /** ln p of each token given those before it, under the model itself. */
  readonly logProbabilities: Float64Array;
  /** Their sum. */
  readonly logProbability: number;
  /** What hypotheses are ranked by: `logProbability` / length penalty + coverage penalty. */
  readonly score: number;
  /** Whether it ended with the end token, rather than at `maximumTokens`. */
  readonly finished: boolean;
  /** Where each token looked, [source] each; undefined when the step does not tell. */
  readonly attention: readonly Float32Array[] | undefined;
}

/** @throws ArgumentError when α is negative or not finite */
export function lengthPenalty(where: string, { kind, alpha = 1 }: LengthPenalty): (length: number) => number {
  checkNumber(where, 'lengthPenalty.alpha', alpha, { min: 0 });
  switch (kind) {
    case 'gnmt':
      return length => ((5 + length) / 6) ** alpha;
    case 'average':
      return length => length ** alpha;
    default:
      return () => 1;
  }
}

/**
 * β Σ_s ln min(Σ_t a_ts, 1): 0 when every place of the source was looked at, less where some were not. Wu et al. 2016, eq. 14.
 * A place that got nothing at all, such as padding, does not count.
 */
function coveragePenalty(beta: number, attention: readonly Float32Array[] | undefined): number {
  if (beta === 0 || attention === undefined || attention.length === 0) return 0;
  const covered = new Float64Array(attention[0]!.length);
  for (const shares of attention) for (let s = 0; s < covered.length; s++) covered[s]! += shares[s]!;
  return beta * covered.reduce((sum, share) => (share > 0 ? sum + Math.log(Math.min(share, 1)) : sum), 0);
}

/** A hypothesis that is being written. The last link of a chain: beams share what they have in common. */
export interface Beam {
  readonly before: Beam | undefined;
  readonly token: number;
  readonly logProbability: number;
  readonly sum: number;
  readonly length: number;
  readonly attention: Float32Array | undefined;
}

/** The links of a chain, first to last. */
export function chain(beam: Beam | undefined): Beam[] {
  const links: Beam[] = [];
  for (let link = beam; link !== undefined; link = link.before) links.push(link);
  return links.reverse();
}

/** A beam as what the caller sees. */
export function hypothesis(
  beam: Beam,
  finished: boolean,
  { penalty, coverage }: { readonly penalty: (length: number) => number; readonly coverage: number },
): Hypothesis {
  const links = chain(beam);
  const attention = beam.attention === undefined ? undefined : links.map(link => link.attention!);
  return {
    tokens: Int32Array.from(links, ({ token }) => token),
    logProbabilities: Float64Array.from(links, ({ logProbability }) => logProbability),
    logProbability: beam.sum,
    score: beam.sum / penalty(beam.length) + coveragePenalty(coverage, attention),
    finished,
    attention,
  };
}
