import { ShapeError } from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BeamSearchOptions, beamSearch, type Hypothesis, logSoftmax, scoreTargets } from '../src/index.ts';

/*
 * A small recurrent model with a memory that belongs to the prompt: h' = tanh(h W + x[token] + m), logits = h' V.
 * Token 0 begins, token 1 ends.
 */
const [vocabulary, hidden] = [7, 5];
const wave = (shape: [number, number], pace: number): tf.Tensor2D =>
  tf.tensor2d(
    Array.from({ length: shape[0] * shape[1] }, (_, i) => 1.5 * Math.sin(pace * (i + 1) ** 1.3)),
    shape,
  );
let weights: { W: tf.Tensor2D; x: tf.Tensor2D; V: tf.Tensor2D; m: tf.Tensor2D };
beforeAll(() => {
  weights = {
    W: wave([hidden, hidden], 1),
    x: wave([vocabulary, hidden], 2),
    V: wave([hidden, vocabulary], 3),
    m: wave([4, hidden], 5),
  };
});

type Memory = { readonly h: tf.Tensor; readonly memory: { readonly m: tf.Tensor } };
type Options = Partial<BeamSearchOptions<Memory>>;

function step(tokens: Int32Array, { h, memory }: Memory): ReturnType<BeamSearchOptions<Memory>['step']> {
  const { W, x, V } = weights;
  const next = tf.tanh(tf.addN([tf.matMul(h as tf.Tensor2D, W), tf.gather(x, tf.tensor1d(tokens, 'int32')), memory.m]));
  return {
    logits: tf.matMul(next as tf.Tensor2D, V),
    state: { h: next, memory },
    attention: tf.softmax(tf.mul(memory.m, tf.add(next, 1))),
  };
}

const stateOf = (rows: readonly number[]): Memory => ({
  h: tf.zeros([rows.length, hidden]),
  memory: { m: tf.gather(weights.m, tf.tensor1d(rows as number[], 'int32')) },
});

async function search(rows: readonly number[], options: Options = {}): Promise<Hypothesis[][]> {
  tf.engine().startScope();
  const initialState = stateOf(rows);
  tf.engine().endScope([initialState.h, initialState.memory.m]);
  const prompts = rows.map(row => [[0], [0, 3], [0], [0, 2, 4]][row]!);
  try {
    return await beamSearch({
      step,
      initialState,
      prompts,
      endToken: 1,
      maximumTokens: 6,
      beamSize: 4,
      count: 3,
      ...options,
    });
  } finally {
    initialState.h.dispose();
    initialState.memory.m.dispose();
  }
}

const plain = (found: readonly Hypothesis[]): unknown[] => found.map(({ tokens, finished }) => [[...tokens], finished]);
const settings: [string, Options][] = [
  ['plain', {}],
  ['fixed memory', { isFixed: path => path.startsWith('memory') }],
  ['mean per token, coverage', { lengthPenalty: { kind: 'average' }, coveragePenalty: 0.3 }],
  ['no repeated pair, at least 3 tokens', { noRepeatNgram: 2, minimumTokens: 3, suppress: [5] }],
  ['two diverse groups', { groups: 2, diversity: 1 }],
  ['first', { earlyStopping: 'first' }],
];

describe('beamSearch', () => {
  it.each(settings)('decodes a batch as one by one: %s', async (_, options) => {
    const together = await search([0, 1, 2, 3], options);
    for (const row of [0, 1, 2, 3]) {
      const [alone] = await search([row], options);
      expect(plain(together[row]!)).toEqual(plain(alone!));
      together[row]!.forEach((each, i) => {
        expect(each.score).toBeCloseTo(alone![i]!.score, 5);
      });
    }
  });

  it('tells log-probabilities that scoring the same tokens gives, sorted by score', async () => {
    const rows = [0, 1, 2, 3];
    const found = await search(rows);
    for (const place of [0, 1, 2]) {
      const initialState = tf.tidy(() => stateOf(rows) as unknown as tf.TensorContainerObject) as unknown as Memory;
      const scores = await scoreTargets({
        step,
        initialState,
        prompts: [[0], [0, 3], [0], [0, 2, 4]],
        targets: found.map(each => each[place]!.tokens),
      });
      found.forEach((each, row) => {
        const { logProbabilities, logProbability, score, tokens } = each[place]!;
        expect(scores[row]!.logProbability).toBeCloseTo(logProbability, 5);
        scores[row]!.logProbabilities.forEach((value, t) => {
          expect(value).toBeCloseTo(logProbabilities[t]!, 5);
        });
        expect(score).toBeCloseTo(logProbability / ((5 + tokens.length) / 6) ** 0.6, 9);
        if (place > 0) expect(score).toBeLessThanOrEqual(each[place - 1]!.score);
      });
    }
  });

  it('finds what enumeration finds, when no prefix is left out', async () => {
    // Every sequence of up to 3 tokens behind <bos>, by the table of the first step alone: a chain.
    const table = wave([4, 4], 7);
    const logs = [0, 1, 2, 3].map(from => logSoftmax(table.dataSync().slice(4 * from, 4 * from + 4)));
    const all: { tokens: number[]; score: number }[] = [];
    const walk = (tokens: number[], sum: number): void => {
      const isDone = tokens.at(-1) === 1 || tokens.length === 3;
      if (isDone) all.push({ tokens, score: sum / tokens.length });
      else for (const [token, log] of logs[tokens.at(-1) ?? 0]!.entries()) walk([...tokens, token], sum + log);
    };
    walk([], 0);
    all.sort((a, b) => b.score - a.score);
    const [found] = await beamSearch({
      step: (tokens, state) => ({ logits: tf.gather(table, tf.tensor1d(tokens, 'int32')), state }),
      initialState: [],
      prompts: [[0]],
      endToken: 1,
      maximumTokens: 3,
      beamSize: 64,
      count: 10,
      lengthPenalty: { kind: 'average' },
    });
    expect(found!.map(({ tokens }) => [...tokens])).toEqual(all.slice(0, 10).map(({ tokens }) => tokens));
    table.dispose();
  });

  it('stops early only where nothing can change', async () => {
    const [exact, never] = [await search([0, 1, 2, 3]), await search([0, 1, 2, 3], { earlyStopping: 'never' })];
    expect(exact.map(plain)).toEqual(never.map(plain));
  });

  it('keeps the rules', async () => {
    const all = (await search([0, 1, 2, 3], { noRepeatNgram: 1, minimumTokens: 2, suppress: [6] })).flat();
    for (const { tokens } of all) {
      expect(tokens).not.toContain(6);
      expect(new Set(tokens).size).toBe(tokens.length);
      expect(tokens.includes(1) ? tokens.indexOf(1) : 2).toBeGreaterThanOrEqual(2);
    }
    const forced = await search([0, 1], { forced: [[4, 2], []] });
    for (const { tokens, logProbabilities } of forced[0]!) {
      expect([...tokens.subarray(0, 2)]).toEqual([4, 2]);
      expect(logProbabilities[0]).toBeLessThan(0);
    }
  });

  it('is more diverse in groups', async () => {
    const firsts = async (options: Options): Promise<number> => {
      const found = await search([0, 1, 2, 3], { count: 4, earlyStopping: 'never', ...options });
      return found.reduce((sum, each) => sum + new Set(each.map(({ tokens }) => tokens[0])).size, 0);
    };
    expect(await firsts({ groups: 4, diversity: 100 })).toBeGreaterThan(await firsts({ groups: 4, diversity: 0 }));
  });

  it('returns attention for each token', async () => {
    const [[first]] = (await search([0])) as [[Hypothesis]];
    expect(first.attention!.map(each => each.length)).toEqual(Array(first.tokens.length).fill(hidden));
    expect(first.attention![0]!.reduce((sum, share) => sum + share)).toBeCloseTo(1, 5);
  });

  it('leaks nothing, also when a step fails', async () => {
    await expectNoLeak(async () => {
      await search([0, 1, 2, 3], { isFixed: path => path.startsWith('memory') });
    });
    await expectNoLeak(async () => {
      const wrong: Options['step'] = (tokens, state) => ({ ...step(tokens, state), logits: tf.zeros([2, 3, 4]) });
      await expect(search([0, 1], { step: wrong })).rejects.toThrow(ShapeError);
    });
  });

  const refused: [string, Options, string][] = [
    ['count above beamSize', { count: 9 }, 'count must be an integer ≥ 1 ≤ 4'],
    ['groups', { groups: 3 }, 'groups must divide beamSize, got 3 and 4'],
    ['endToken', { endToken: 7 }, 'endToken must be in the vocabulary'],
    ['everything suppressed', { suppress: [0, 1, 2, 3, 4, 5, 6] }, 'at least one hypothesis must be possible'],
    ['an empty prompt', { prompts: [[]] }, 'a prompt must have a token, got none in prompt 0'],
  ];
  it.each(refused)('refuses %s', async (_, options, message) => {
    await expect(search([0], options)).rejects.toThrow(message);
  });
});

it('lets timers in while it searches, and stops at a signal', async () => {
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  const before = tf.memory().numTensors;
  try {
    const long = { maximumTokens: 10_000_000, suppress: [1], signal: AbortSignal.timeout(200) };
    await expect(search([0], long)).rejects.toThrow(/timeout/);
  } finally {
    clearInterval(ticking);
  }
  expect(ticks).toBeGreaterThan(1);
  expect(tf.memory().numTensors).toBe(before);
});
