import { checkNumber, type Rng } from '@ostinato/core';

/**
 * The synthetic tasks that every architecture must learn, or must be seen to fail: each isolates one thing a sequence model is
 * for (long memory, order, counting). Plain arrays, drawn from an Rng; a batch is a function of the stream alone.
 */

/** A batch whose rows are sequences of tokens with a label at every step; `ignoreIndex` marks steps without a label. */
export interface TokenBatch {
  /** int32 [batch, time], row-major. */
  readonly inputs: Int32Array;
  /** int32 [batch, time]; `ignoreIndex` where nothing is asked. */
  readonly targets: Int32Array;
  readonly shape: readonly [batch: number, time: number];
  /** Tokens are 0 … vocabularySize−1. */
  readonly vocabularySize: number;
  readonly ignoreIndex: -1;
}

/** Sizes of a batch. */
export interface TaskSizes {
  readonly batch: number;
  /** Time steps; how far apart question and answer are depends on it. */
  readonly time: number;
}

/** A batch of the adding problem. */
export interface AddingBatch {
  /** float32 [batch, time, 2]: a number in [0, 1), and a mark. */
  readonly inputs: Float32Array;
  /** float32 [batch]: the sum of the two marked numbers. Guessing 1 gives a mean squared error of 1/6 = 0.167. */
  readonly targets: Float32Array;
  readonly shape: readonly [batch: number, time: number, features: 2];
}

/** Checks that sizes are integers and at least 1, or what `least` says. */
function check(
  where: string,
  sizes: Readonly<Record<string, number>>,
  least: Readonly<Record<string, number>> = {},
): void {
  for (const [name, size] of Object.entries(sizes))
    checkNumber(where, name, size, { integer: true, min: least[name] ?? 1 });
}

/**
 * The adding problem: two numbers of a sequence are marked, one in each half; the answer is their sum.
 *
 * Hochreiter and Schmidhuber 1997, section 5.4, in the form of Le et al. 2015, arXiv:1504.00941, section 4.1.
 */
export function addingProblem(rng: Rng, { batch, time }: TaskSizes): AddingBatch {
  check('addingProblem', { batch, time }, { time: 2 });
  const inputs = new Float32Array(batch * time * 2);
  const targets = new Float32Array(batch);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < time; t++) inputs[2 * (b * time + t)] = Math.fround(rng.next());
    const half = Math.floor(time / 2);
    for (const t of [rng.integer(half), half + rng.integer(time - half)]) {
      inputs[2 * (b * time + t) + 1] = 1;
      targets[b]! += inputs[2 * (b * time + t)]!;
    }
  }
  return { inputs, targets, shape: [batch, time, 2] };
}

/**
 * Copy: `symbols` tokens, a delay of blanks, a go signal, then the same tokens are asked for in the same order. Tokens are
 * 0 … alphabet−1; `alphabet` is blank, `alphabet + 1` go.
 *
 * Hochreiter and Schmidhuber 1997, section 5.2; in this form: Arjovsky, Shah, Bengio 2016, arXiv:1511.06464.
 */
export function copyTask(
  rng: Rng,
  {
    batch,
    symbols,
    delay,
    alphabet = 8,
  }: { batch: number; symbols: number; delay: number; alphabet?: number | undefined },
): TokenBatch {
  check('copyTask', { batch, symbols, delay, alphabet });
  const time = 2 * symbols + delay;
  return tokens({ batch, time, vocabularySize: alphabet + 2 }, (inputs, targets) => {
    inputs.fill(alphabet);
    inputs[symbols + delay - 1] = alphabet + 1;
    for (let i = 0; i < symbols; i++) {
      inputs[i] = rng.integer(alphabet);
      targets[symbols + delay + i] = inputs[i]!;
    }
  });
}

/**
 * Parity: at every step, whether the number of ones so far is odd. One bit of state, kept for ever.
 *
 * Minsky and Papert 1969, "Perceptrons", chapter 3.
 */
export function parityTask(rng: Rng, { batch, time }: TaskSizes): TokenBatch {
  check('parityTask', { batch, time });
  return tokens({ batch, time, vocabularySize: 2 }, (inputs, targets) => {
    let odd = 0;
    for (let t = 0; t < time; t++) {
      inputs[t] = rng.integer(2);
      odd ^= inputs[t]!;
      targets[t] = odd;
    }
  });
}

/**
 * First-token recall: the first of many random tokens is asked for after the last. Chance is 1 / alphabet.
 *
 * Hochreiter and Schmidhuber 1997, section 5.2 (noise between the signal and its recall).
 */
export function firstTokenRecall(
  rng: Rng,
  { batch, time, alphabet = 8 }: TaskSizes & { alphabet?: number | undefined },
): TokenBatch {
  check('firstTokenRecall', { batch, time, alphabet });
  return tokens({ batch, time, vocabularySize: alphabet }, (inputs, targets) => {
    for (let t = 0; t < time; t++) inputs[t] = rng.integer(alphabet);
    targets[time - 1] = inputs[0]!;
  });
}

/**
 * Reverse: `symbols` tokens, then the same tokens from the last to the first, asked for while blanks come in. The first token waits
 * longest. `alphabet` is the blank.
 *
 * Sutskever, Vinyals, Le 2014, arXiv:1409.3215, section 3.3 (order of the source); Grefenstette et al. 2015, arXiv:1506.02516.
 */
export function reverseTask(
  rng: Rng,
  { batch, symbols, alphabet = 8 }: { batch: number; symbols: number; alphabet?: number | undefined },
): TokenBatch {
  check('reverseTask', { batch, symbols, alphabet });
  const time = 2 * symbols;
  return tokens({ batch, time, vocabularySize: alphabet + 1 }, (inputs, targets) => {
    inputs.fill(alphabet);
    for (let i = 0; i < symbols; i++) {
      inputs[i] = rng.integer(alphabet);
      targets[time - 1 - i] = inputs[i]!;
    }
  });
}

/**
 * Sort: `symbols` tokens, then the same tokens in ascending order, asked for while blanks come in. `alphabet` is the blank.
 *
 * Graves, Wayne, Danihelka 2014, arXiv:1410.5401, section 4.5 (without their priorities).
 */
export function sortTask(
  rng: Rng,
  { batch, symbols, alphabet = 8 }: { batch: number; symbols: number; alphabet?: number | undefined },
): TokenBatch {
  check('sortTask', { batch, symbols, alphabet });
  const time = 2 * symbols;
  return tokens({ batch, time, vocabularySize: alphabet + 1 }, (inputs, targets) => {
    inputs.fill(alphabet);
    for (let i = 0; i < symbols; i++) inputs[i] = rng.integer(alphabet);
    targets.set(inputs.slice(0, symbols).sort(), symbols);
  });
}

function tokens(
  { batch, time, vocabularySize }: TaskSizes & { vocabularySize: number },
  fillRow: (inputs: Int32Array, targets: Int32Array) => void,
): TokenBatch {
  const inputs = new Int32Array(batch * time);
  const targets = new Int32Array(batch * time).fill(-1);
  for (let b = 0; b < batch; b++)
    fillRow(inputs.subarray(b * time, (b + 1) * time), targets.subarray(b * time, (b + 1) * time));
  return { inputs, targets, shape: [batch, time], vocabularySize, ignoreIndex: -1 };
}
