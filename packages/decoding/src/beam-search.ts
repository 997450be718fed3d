import { ArgumentError, checkNumber, checkShape, type State, yieldToEvents } from '@ostinato/core';
import { checkGroups, type Group, type GrowthRules, growGroup } from './beam-growth.ts';
import { type AttendingStep, CarriedState, type StepValues } from './carried-state.ts';
import { type Hypothesis, hypothesis, type LengthPenalty, lengthPenalty } from './hypothesis.ts';

/** Options of `beamSearch`. */
export interface BeamSearchOptions<S extends State> {
  /** Its tensors, state and attention included, are [batch, …] with a row for each hypothesis: batches shrink and grow. */
  readonly step: AttendingStep<S>;
  /** State before the prompts, a row for each. It stays the caller's and is not disposed. */
  readonly initialState: S;
  /** Token ids to begin with, at least one in each, such as the token that begins texts; not part of the hypotheses. */
  readonly prompts: readonly ArrayLike<number>[];
  /** The token that ends a hypothesis. */
  readonly endToken: number;
  /** Most tokens of a hypothesis, the end token included: of all, or of those of each prompt. */
  readonly maximumTokens: number | readonly number[];
  /** Hypotheses that stay in the race. Default 5; 1 is greedy. */
  readonly beamSize?: number | undefined;
  /** How many hypotheses to return for each prompt, at most `beamSize`. Default 1. */
  readonly count?: number | undefined;
  /** Default `{ kind: 'gnmt', alpha: 0.6 }`. */
  readonly lengthPenalty?: LengthPenalty | undefined;
  /** β of GNMT's coverage penalty, for steps that return attention; part of the final score. Default 0. */
  readonly coveragePenalty?: number | undefined;
  /**
   * When the search for a prompt ends: `exact` as soon as no hypothesis can get among the best any more, which changes nothing ·
   * `first` with `beamSize` finished ones, which is faster · `never` at `maximumTokens`. Default `exact`.
   */
  readonly earlyStopping?: 'exact' | 'first' | 'never' | undefined;
  /** No run of so many tokens occurs twice, prompt included. Default: off. */
  readonly noRepeatNgram?: number | undefined;
  /** Fewest tokens before the end token. Default 0. */
  readonly minimumTokens?: number | undefined;
  /** Tokens that never occur, such as `<unk>`. */
  readonly suppress?: readonly number[] | undefined;
  /** What the hypotheses of each prompt must begin with; part of them and of their score. */
  readonly forced?: readonly ArrayLike<number>[] | undefined;
  /** Diverse beam search: so many groups of beamSize / groups, each avoiding the tokens of those before it. Default 1. */
  readonly groups?: number | undefined;
  /** λ, what a token costs for each hypothesis of an earlier group that took it at this step. Default 0.5. */
  readonly diversity?: number | undefined;
  /**
   * Whether the tensor at a path of the state (`layers.0.memory.keys`) belongs to the prompt rather than the hypothesis, so that it
   * need not move when hypotheses change places. Default: none.
   */
  readonly isFixed?: ((path: string) => boolean) | undefined;
  /** Ends the search with its reason. */
  readonly signal?: AbortSignal | undefined;
}

interface Sentence {
  readonly index: number;
  readonly prompt: readonly number[];
  readonly forced: readonly number[];
  readonly maximumTokens: number;
  readonly groups: Group[];
  readonly found: Hypothesis[];
}

const where = 'beamSearch';

/**
 * The most likely ways of going on from each prompt, best first: at every step the 2K best continuations of K hypotheses are
 * looked at; those among the first K that end are finished, the K best others go on.
 *
 *     score = Σ_t ln p(tokenₜ | tokens before) / length penalty + coverage penalty
 *
 * Prompts share batches, and the rows of a finished one are dropped; each gets what it would get alone. With K as large as
 * the number of prefixes it is exhaustive. Equal candidates: the better hypothesis first, then the smaller token.
 *
 * Wu et al. 2016, arXiv:1609.08144, section 7; diverse groups: Vijayakumar et al. 2018, arXiv:1610.02424.
 *
 * @returns for each prompt `count` hypotheses; fewer where there are no more
 * @throws ArgumentError when an option is out of range, or the rules forbid every token
 * @throws NonFiniteError when a logit is NaN or +Infinity; ShapeError when logits are not [batch, vocabulary]
 */
export async function beamSearch<S extends State>(options: BeamSearchOptions<S>): Promise<Hypothesis[][]> {
  const rules = complete(options);
  const { prompts, forced, isFixed = () => false, signal } = options;
  const sentences = prompts.map((prompt, index): Sentence => {
    const groups = Array.from({ length: rules.groups }, () => ({ alive: [{ beam: undefined, row: index }] }));
    const maximumTokens = rules.maximumTokens[index]!;
    const shared = { index, maximumTokens, prompt: Array.from(prompt), forced: Array.from(forced?.[index] ?? []) };
    return { ...shared, groups, found: [] };
  });
  const carried = new CarriedState(options.step, options.initialState);
  try {
    let active: readonly Sentence[] = sentences;
    let owners: readonly number[] = sentences.map(({ index }) => index);
    for (let time = 0; active.length > 0; time++) {
      await yieldToEvents(signal);
      const { rows, tokens, sentencesOfRows } = arrange(active, time);
      const sameOwners = equal(sentencesOfRows, owners);
      // Where every row stays, nothing is copied.
      if (!sameOwners || !rows.every((row, i) => row === i)) {
        carried.select(Int32Array.from(rows), path => !(sameOwners && isFixed(path)));
      }
      owners = sentencesOfRows;
      const values = await carried.step(Int32Array.from(tokens), logits => {
        checkShape(where, 'logits', logits, { batch: rows.length, vocabulary: null }, 'float32');
      });
      if (rules.endToken >= values.vocabulary) {
        const expected = `an integer in 0 … ${values.vocabulary - 1}`;
        throw new ArgumentError({
          where,
          rule: 'endToken must be in the vocabulary',
          expected,
          got: `${rules.endToken}`,
        });
      }
      for (const sentence of active) if (time >= sentence.prompt.length - 1) advance(sentence, values, rules);
      active = active.filter(({ groups }) => groups.some(({ alive }) => alive.length > 0));
    }
  } finally {
    carried.dispose();
  }
  return sentences.map(({ found, index }) => {
    if (found.length === 0) {
      const got = `none for prompt ${index}`;
      const advice = 'Loosen suppress, noRepeatNgram, minimumTokens or forced.';
      throw new ArgumentError({ where, rule: 'at least one hypothesis must be possible', got, advice });
    }
    return found.slice(0, rules.count);
  });
}

interface Rules extends GrowthRules {
  readonly count: number;
  readonly groups: number;
  readonly beamSize: number;
  /** Of each prompt. */
  readonly maximumTokens: readonly number[];
  readonly coverage: number;
  readonly earlyStopping: 'exact' | 'first' | 'never';
  readonly penalty: (length: number) => number;
}

function complete<S extends State>(options: BeamSearchOptions<S>): Rules {
  const { prompts, forced, endToken, beamSize = 5, count = 1, noRepeatNgram, suppress = [] } = options;
  const {
    coveragePenalty: coverage = 0,
    earlyStopping = 'exact',
    minimumTokens = 0,
    groups = 1,
    diversity = 0.5,
  } = options;
  const maximumTokens =
    typeof options.maximumTokens === 'number'
      ? prompts.map(() => options.maximumTokens as number)
      : options.maximumTokens;
  if (maximumTokens.length !== prompts.length) {
    const [expected, got] = [`${prompts.length} entries`, `${maximumTokens.length}`];
    throw new ArgumentError({ where, rule: 'maximumTokens must have an entry for each prompt', expected, got });
  }
  for (const most of maximumTokens) {
    checkNumber(where, 'maximumTokens', most, { integer: true, min: 1 });
    checkNumber(where, 'minimumTokens', minimumTokens, { integer: true, min: 0, max: most });
  }
  checkNumber(where, 'beamSize', beamSize, { integer: true, min: 1 });
  checkNumber(where, 'endToken', endToken, { integer: true, min: 0 });
  checkNumber(where, 'count', count, { integer: true, min: 1, max: beamSize });
  checkNumber(where, 'coveragePenalty', coverage, { min: 0 });
  checkNumber(where, 'diversity', diversity, { min: 0 });
  if (noRepeatNgram !== undefined) checkNumber(where, 'noRepeatNgram', noRepeatNgram, { integer: true, min: 1 });
  checkGroups(where, beamSize, groups);
  if (!['exact', 'first', 'never'].includes(earlyStopping)) {
    const expected = "'exact' | 'first' | 'never'";
    throw new ArgumentError({ where, rule: 'unknown earlyStopping', expected, got: JSON.stringify(earlyStopping) });
  }
  if (prompts.length === 0) throw new ArgumentError({ where, rule: 'there must be at least one prompt', got: 'none' });
  if (forced !== undefined && forced.length !== prompts.length) {
    const [expected, got] = [`${prompts.length} entries`, `${forced.length}`];
    throw new ArgumentError({ where, rule: 'forced must have an entry for each prompt', expected, got });
  }
  prompts.forEach((prompt, i) => {
    if (prompt.length === 0) {
      const advice = 'Begin with the token that begins texts.';
      throw new ArgumentError({ where, rule: 'a prompt must have a token', got: `none in prompt ${i}`, advice });
    }
    for (const id of Array.from(prompt)) checkNumber(where, `a token of prompt ${i}`, id, { integer: true, min: 0 });
    const most = { max: maximumTokens[i]! };
    checkNumber(where, `the number of forced tokens of prompt ${i}`, forced?.[i]?.length ?? 0, most);
  });
  const penalty = lengthPenalty(where, options.lengthPenalty ?? { kind: 'gnmt', alpha: 0.6 });
  const growth = { endToken, minimumTokens, noRepeatNgram, suppress, diversity, size: beamSize / groups };
  return { ...growth, count, groups, beamSize, maximumTokens, coverage, earlyStopping, penalty };
}

/** Puts the hypotheses of all sentences side by side: which row of the last step each goes on from, and what it reads. */
function arrange(
  active: readonly Sentence[],
  time: number,
): { rows: number[]; tokens: number[]; sentencesOfRows: number[] } {
  const [rows, tokens, sentencesOfRows]: [number[], number[], number[]] = [[], [], []];
  for (const { index, prompt, groups } of active) {
    // Until the prompt is read, all groups share one row.
    if (time < prompt.length) {
      const { row } = groups[0]!.alive[0]!;
      for (const { alive } of groups) alive[0]!.row = rows.length;
      rows.push(row);
      tokens.push(prompt[time]!);
      sentencesOfRows.push(index);
      continue;
    }
    for (const one of groups.flatMap(({ alive }) => alive)) {
      const { row } = one;
      one.row = rows.length;
      rows.push(row);
      tokens.push(one.beam!.token);
      sentencesOfRows.push(index);
    }
  }
  return { rows, tokens, sentencesOfRows };
}

const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** One step of one sentence: its groups grow in turn, and what ended is kept, best first. */
function advance(sentence: Sentence, values: StepValues, rules: Rules): void {
  const { groups, prompt, forced, found, maximumTokens } = sentence;
  const { penalty, coverage, count, beamSize, earlyStopping } = rules;
  const taken = new Map<number, number>();
  for (const group of groups) {
    for (const beam of growGroup(group, values, { prompt, forced, taken, rules })) {
      found.push(hypothesis(beam, true, { penalty, coverage }));
    }
  }
  const alive = groups.flatMap(group => group.alive);
  if (alive[0]?.beam?.length === maximumTokens) {
    for (const { beam } of alive) found.push(hypothesis(beam!, false, { penalty, coverage }));
    for (const group of groups) group.alive = [];
  }
  // A stable sort: of equal scores the one found first.
  found.sort((a, b) => b.score - a.score);
  const worst = found[count - 1]?.score ?? -Infinity;
  // Log-probabilities only fall, and the penalty divides by no more than at full length.
  const best = Math.max(...alive.map(({ beam }) => beam!.sum / penalty(maximumTokens)));
  const isDone =
    (earlyStopping === 'exact' && worst >= best) ||
    (earlyStopping === 'first' && found.filter(({ finished }) => finished).length >= beamSize);
  if (isDone) for (const group of groups) group.alive = [];
}
