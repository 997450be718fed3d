import { ArgumentError, checkNumber } from '@ostinato/core';
import type { StepValues } from './carried-state.ts';
import { type Beam, chain } from './hypothesis.ts';
import { blockRepeatedNgrams, suppressTokens } from './penalties.ts';
import { logSumExp } from './softmax.ts';

/** A hypothesis in the race; `beam` is undefined before its first token. */
interface Alive {
  readonly beam: Beam | undefined;
  /** Its row in the last step. */
  row: number;
}

/** Hypotheses that compete with each other. */
export interface Group {
  alive: Alive[];
}

/** What is allowed, and how wide a group is. */
export interface GrowthRules {
  readonly size: number;
  readonly endToken: number;
  readonly minimumTokens: number;
  readonly noRepeatNgram: number | undefined;
  readonly suppress: readonly number[];
  readonly diversity: number;
}

interface Growth {
  readonly prompt: readonly number[];
  readonly forced: readonly number[];
  /** How many hypotheses of earlier groups took each token at this step; this group's are added. */
  readonly taken: Map<number, number>;
  readonly rules: GrowthRules;
}

interface Candidate {
  readonly from: Alive;
  readonly token: number;
  readonly logProbability: number;
  readonly sum: number;
  /** The sum less what diversity costs. */
  readonly rank: number;
}

/** @throws ArgumentError unless both are positive integers and the groups are equal */
export function checkGroups(where: string, beamSize: number, groups: number): void {
  checkNumber(where, 'beamSize', beamSize, { integer: true, min: 1 });
  checkNumber(where, 'groups', groups, { integer: true, min: 1, max: beamSize });
  if (beamSize % groups === 0) return;
  throw new ArgumentError({ where, rule: 'groups must divide beamSize', got: `${groups} and ${beamSize}` });
}

/** One step of a group. @returns the hypotheses that ended */
export function growGroup(group: Group, values: StepValues, growth: Growth): Beam[] {
  const { taken, rules } = growth;
  const { size, endToken } = rules;
  // Tokens that earlier groups took may drop out of the best 2K.
  const wanted = 2 * size + taken.size;
  const candidates = group.alive.flatMap(from => candidatesOf(from, values, wanted, growth));
  candidates.sort((a, b) => b.rank - a.rank);
  const ended: Beam[] = [];
  const alive: Alive[] = [];
  for (const [place, { from, token, logProbability, sum }] of candidates.slice(0, 2 * size).entries()) {
    const isEnd = token === endToken;
    if (isEnd ? place >= size : alive.length === size) continue;
    const { beam: before, row } = from;
    const attention = values.attention?.slice(row * values.source, (row + 1) * values.source);
    const beam = { before, token, logProbability, sum, length: (before?.length ?? 0) + 1, attention };
    if (isEnd) ended.push(beam);
    else alive.push({ beam, row });
  }
  group.alive = alive;
  for (const { beam } of alive) taken.set(beam!.token, (taken.get(beam!.token) ?? 0) + 1);
  return ended;
}

function candidatesOf(from: Alive, values: StepValues, wanted: number, growth: Growth): Candidate[] {
  const { vocabulary } = values;
  const logits = values.logits.subarray(from.row * vocabulary, (from.row + 1) * vocabulary);
  const total = logSumExp('beamSearch', logits);
  const { forced, taken, rules } = growth;
  const length = from.beam?.length ?? 0;
  const tokens = length < forced.length ? [forced[length]!] : best(allowed(logits, from.beam, growth), wanted);
  return tokens
    .map(token => {
      const logProbability = logits[token]! - total;
      const sum = (from.beam?.sum ?? 0) + logProbability;
      return { from, token, logProbability, sum, rank: sum - rules.diversity * (taken.get(token) ?? 0) };
    })
    .filter(({ sum }) => sum > -Infinity); // undefined logits of a forced token outside the vocabulary are NaN
}

function allowed(logits: Float32Array, beam: Beam | undefined, { prompt, rules }: Growth): Float32Array {
  const { endToken, minimumTokens, noRepeatNgram, suppress } = rules;
  let result = logits;
  if (suppress.length > 0) result = suppressTokens(result, suppress);
  if (noRepeatNgram !== undefined) {
    result = blockRepeatedNgrams(result, [...prompt, ...chain(beam).map(({ token }) => token)], noRepeatNgram);
  }
  if ((beam?.length ?? 0) < minimumTokens) result = suppressTokens(result, [endToken]);
  return result;
}

/** The `count` largest logits, largest first, equal ones in order of their tokens; impossible tokens are left out. */
function best(logits: Float32Array, count: number): number[] {
  const tokens: number[] = [];
  let least = -Infinity;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    if (logit === -Infinity || (tokens.length === count && logit <= least)) continue;
    if (tokens.length === count) tokens.pop();
    let place = tokens.length;
    while (place > 0 && logits[tokens[place - 1]!]! < logit) place--;
    tokens.splice(place, 0, token);
    least = logits[tokens.at(-1)!]!;
  }
  return tokens;
}
