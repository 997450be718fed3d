import { ArgumentError, checkNumber, checkShape, type State, yieldToEvents } from '@ostinato/core';
import { type AttendingStep, CarriedState } from './carried-state.ts';
import { logSumExp } from './softmax.ts';

/** Options of `scoreTargets`. */
export interface ScoreTargetsOptions<S extends State> {
  readonly step: AttendingStep<S>;
  /** State before the prompts, a row for each. It stays the caller's and is not disposed. */
  readonly initialState: S;
  /** Token ids before each target, at least one in each. */
  readonly prompts: readonly ArrayLike<number>[];
  /** Token ids to score, the end token included where it should count. Lengths may differ; an empty one scores 0. */
  readonly targets: readonly ArrayLike<number>[];
}

/** How likely a model finds a target. */
export interface TargetScore {
  /** ln p of each token given those before it. */
  readonly logProbabilities: Float64Array;
  /** Their sum. */
  readonly logProbability: number;
}

/**
 * ln p(target | prompt) of given targets, token by token, through the same step that generates.
 *
 * @throws ArgumentError when there is no prompt, counts differ, or a token is out of range
 * @throws NonFiniteError when a logit is NaN or +Infinity; ShapeError when logits are not [batch, vocabulary]
 */
export async function scoreTargets<S extends State>({
  step,
  initialState,
  prompts,
  targets,
}: ScoreTargetsOptions<S>): Promise<TargetScore[]> {
  const where = 'scoreTargets';
  if (prompts.length === 0 || prompts.length !== targets.length) {
    const got = `${prompts.length} prompts and ${targets.length} targets`;
    throw new ArgumentError({ where, rule: 'there must be a prompt for each target, and at least one', got });
  }
  const rows = prompts.map((prompt, i) => {
    if (prompt.length === 0)
      throw new ArgumentError({ where, rule: 'a prompt must have a token', got: `none in prompt ${i}` });
    const ids = [...Array.from(prompt), ...Array.from(targets[i]!)];
    for (const id of ids) checkNumber(where, `a token of row ${i}`, id, { integer: true, min: 0 });
    return { ids, first: prompt.length };
  });
  const found = targets.map(target => new Float64Array(target.length));
  const steps = Math.max(...rows.map(({ ids }) => ids.length - 1));
  const carried = new CarriedState(step, initialState);
  try {
    for (let time = 0; time < steps; time++) {
      await yieldToEvents();
      // [B]; a row that has ended reads its last token again, and nobody looks at what comes of it.
      const tokens = Int32Array.from(rows, ({ ids }) => ids[Math.min(time, ids.length - 1)]!);
      const { logits, vocabulary } = await carried.step(tokens, values => {
        checkShape(where, 'logits', values, { batch: rows.length, vocabulary: null }, 'float32');
      });
      rows.forEach(({ ids, first }, row) => {
        const next = time + 1;
        if (next < first || next >= ids.length) return;
        checkNumber(where, `a token of row ${row}`, ids[next]!, { max: vocabulary - 1 });
        const own = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
        found[row]![next - first] = own[ids[next]!]! - logSumExp(where, own);
      });
    }
  } finally {
    carried.dispose();
  }
  return found.map(logProbabilities => ({
    logProbabilities,
    logProbability: logProbabilities.reduce((sum, each) => sum + each, 0),
  }));
}
