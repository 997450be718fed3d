import { Rng } from '@ostinato/core';
import {
  type GeneratedToken,
  type GenerateOptions,
  generate,
  generateBatch,
  logSoftmax,
  type Step,
} from '@ostinato/decoding';
import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

type Hidden = { readonly hidden: tf.Tensor };

const vocabulary = 7;
const width = 4;
let table: tf.Tensor;
let recurrent: tf.Tensor;
let output: tf.Tensor;

beforeAll(() => {
  const rng = new Rng(11);
  table = rng.normal([vocabulary, width]);
  recurrent = rng.normal([width, width]);
  output = rng.normal([width, vocabulary]);
});
afterAll(() => tf.dispose([table, recurrent, output]));

/** hₜ = tanh(E[token] + hₜ₋₁ W), logits = hₜ U. Leaves its intermediate tensors to the tidy. */
const step: Step<Hidden> = (tokens, { hidden }) => {
  const embedded = tf.gather(table, tf.tensor1d(tokens, 'int32')); // [B, H]
  const next = tf.tanh(tf.add(embedded, tf.matMul(hidden as tf.Tensor2D, recurrent as tf.Tensor2D)));
  return { logits: tf.matMul(next as tf.Tensor2D, output as tf.Tensor2D), state: { hidden: next } };
};

async function collect(stream: AsyncIterable<GeneratedToken>): Promise<GeneratedToken[]> {
  const all: GeneratedToken[] = [];
  for await (const token of stream) all.push(token);
  return all;
}

/** Runs `body` with a zero state and expects that no tensor is left behind and the zero state is untouched. */
async function withState(batch: number, body: (initialState: Hidden) => Promise<void>): Promise<void> {
  await expectNoLeak(async () => {
    const initialState = { hidden: tf.zeros([batch, width]) };
    await body(initialState);
    expect([...(await initialState.hidden.data())]).toEqual(Array(batch * width).fill(0));
    return initialState;
  });
}

const letters = (ids: Int32Array): string => Array.from(ids, id => 'abcdefg'[id]).join('');

describe('generate', () => {
  it('is greedy at temperature 0: each token is the most likely one after those before', async () => {
    await withState(1, async initialState => {
      const prompt = [2, 5];
      const drawn = await collect(generate({ step, initialState, prompt, maximumTokens: 6, temperature: 0 }));
      expect(drawn.map(({ index, row }) => [index, row])).toEqual([0, 1, 2, 3, 4, 5].map(index => [index, 0]));
      expect(drawn.map(({ finished }) => finished)).toEqual([null, null, null, null, null, 'maximumTokens']);
      const ids = [...prompt, ...drawn.map(({ token }) => token)];
      tf.tidy(() => {
        let state = initialState;
        for (const [time, id] of ids.slice(0, -1).entries()) {
          const result = step(Int32Array.of(id), state);
          state = result.state;
          if (time < prompt.length - 1) continue;
          const logProbabilities = logSoftmax(result.logits.dataSync());
          const next = ids[time + 1]!;
          expect(next).toBe(logProbabilities.indexOf(Math.max(...logProbabilities)));
          expect(drawn[time + 1 - prompt.length]!.logProbability).toBeCloseTo(logProbabilities[next]!, 5);
        }
      });
    });
  });

  it('repeats itself exactly for the same seed', async () => {
    await withState(1, async initialState => {
      const run = (seed: number): Promise<GeneratedToken[]> =>
        collect(generate({ step, initialState, prompt: [1], maximumTokens: 30, rng: new Rng(seed), topP: 0.95 }));
      expect(await run(1)).toEqual(await run(1));
      expect(await run(1)).not.toEqual(await run(2));
    });
  });

  it('gives the log-probability of the model, whatever the filters', async () => {
    await withState(1, async initialState => {
      const run = (temperature: number): Promise<GeneratedToken[]> =>
        collect(generate({ step, initialState, prompt: [1], maximumTokens: 1, rng: new Rng(1), temperature, topK: 1 }));
      expect((await run(0.1))[0]!.logProbability).toBe((await run(3))[0]!.logProbability);
    });
  });

  it('follows the rules about tokens', async () => {
    await withState(1, async initialState => {
      const options = { step, initialState, prompt: [1], maximumTokens: 60, rng: new Rng(3), temperature: 3 };
      const suppressed = await collect(generate({ ...options, suppress: [0, 4] }));
      expect(suppressed.every(({ token }) => token !== 0 && token !== 4)).toBe(true);
      const varied = await collect(generate({ ...options, maximumTokens: 40, noRepeatNgram: 3 }));
      const runs = varied.slice(2).map(({ token }, i) => `${varied[i]!.token} ${varied[i + 1]!.token} ${token}`);
      expect(new Set(runs).size).toBe(runs.length);
      await expect(collect(generate({ ...options, noRepeatNgram: 1 }))).rejects.toThrow(
        'chooseToken: the rules must leave a token, got suppress and noRepeatNgram forbid all 7.',
      );
    });
  });

  it('ends at a stop token, which is not in the text', async () => {
    await withState(1, async initialState => {
      const options = {
        step,
        initialState,
        prompt: [1],
        maximumTokens: 200,
        rng: new Rng(5),
        temperature: 2,
        decode: letters,
      };
      const drawn = await collect(generate({ ...options, stopTokens: [3] }));
      expect(drawn.at(-1)).toMatchObject({ token: 3, finished: 'stopToken', text: '' });
      expect(drawn.slice(0, -1).every(({ token, finished }) => token !== 3 && finished === null)).toBe(true);
      const text = drawn.map(token => token.text).join('');
      expect(text).toBe(letters(Int32Array.from(drawn.slice(0, -1), ({ token }) => token)));
    });
  });

  it('ends at a stop string across tokens, and shows nothing of it', async () => {
    await withState(1, async initialState => {
      const options = { step, initialState, prompt: [1], maximumTokens: 400, temperature: 3, decode: letters };
      const free = await collect(generate({ ...options, rng: new Rng(5) }));
      const whole = free.map(token => token.text).join('');
      const stop = whole.slice(57, 60);
      const drawn = await collect(generate({ ...options, rng: new Rng(5), stopStrings: [stop, 'never'] }));
      expect(drawn.map(token => token.text).join('')).toBe(whole.slice(0, whole.indexOf(stop)));
      expect(drawn.at(-1)!.finished).toBe('stopString');
      expect(drawn).toHaveLength(whole.indexOf(stop) + 3);
    });
  });

  it('gives text that was held back with the last token', async () => {
    await withState(1, async initialState => {
      const options = { step, initialState, prompt: [1], maximumTokens: 5, temperature: 0, decode: letters };
      const text = (await collect(generate(options))).map(token => token.text).join('');
      const held = await collect(generate({ ...options, stopStrings: [`${text}x`] }));
      expect(held.map(token => token.text)).toEqual(['', '', '', '', text]);
    });
  });

  it('leaves no tensor behind when the loop is left early, at whatever token', async () => {
    for (const breakAt of [0, 1, 4]) {
      await withState(1, async initialState => {
        for await (const { index } of generate({
          step,
          initialState,
          prompt: [1, 2, 3],
          maximumTokens: 9,
          rng: new Rng(1),
        })) {
          if (index === breakAt) break;
        }
      });
    }
    await withState(1, async initialState => {
      generate({ step, initialState, prompt: [1], maximumTokens: 9, rng: new Rng(1) });
    });
  });

  it('leaves no tensor behind when something throws', async () => {
    for (const failing of [0, 1, 4]) {
      await withState(1, async initialState => {
        let count = 0;
        const throwing: Step<Hidden> = (tokens, state) => {
          const result = step(tokens, state);
          if (count++ === failing) throw new Error('the model broke');
          return result;
        };
        const options = { initialState, prompt: [1, 2], maximumTokens: 9, rng: new Rng(1) };
        await expect(collect(generate({ ...options, step: throwing }))).rejects.toThrow('the model broke');
        let decoded = 0;
        const decode = (ids: Int32Array): string => {
          if (decoded++ >= 2 * failing) throw new Error('no text');
          return letters(ids);
        };
        await expect(collect(generate({ ...options, step, decode }))).rejects.toThrow('no text');
        await expect(
          (async () => {
            for await (const { index } of generate({ ...options, step }))
              if (index === failing) throw new Error('enough');
          })(),
        ).rejects.toThrow('enough');
      });
    }
  });

  it('refuses logits that are NaN or of another shape, leaving nothing behind', async () => {
    await withState(1, async initialState => {
      const options = { initialState, prompt: [1], maximumTokens: 3, rng: new Rng(1) };
      const broken = (logits: () => tf.Tensor): Promise<unknown> =>
        collect(generate({ ...options, step: (tokens, state) => ({ ...step(tokens, state), logits: logits() }) }));
      await expect(broken(() => tf.fill([1, vocabulary], Number.NaN))).rejects.toThrow('got NaN for token 0');
      await expect(broken(() => tf.zeros([vocabulary]))).rejects.toThrow(
        'generate: logits must be [batch, vocabulary], expected [1, ?], got [7].',
      );
    });
  });

  it('hands the state over at the end, to go on from exactly', async () => {
    await withState(1, async initialState => {
      const options = { step, maximumTokens: 12, temperature: 2 };
      const whole = await collect(generate({ ...options, initialState, prompt: [1, 2], rng: new Rng(9) }));
      for (const early of [false, true]) {
        const rng = new Rng(9);
        const ends: { state: Hidden; nextToken: number }[] = [];
        const onEnd: NonNullable<GenerateOptions<Hidden>['onEnd']> = end => ends.push(end);
        const first: GeneratedToken[] = [];
        for await (const token of generate({
          ...options,
          initialState,
          prompt: [1, 2],
          rng,
          maximumTokens: early ? 12 : 5,
          onEnd,
        })) {
          first.push(token);
          if (first.length === 5) break;
        }
        expect(ends).toHaveLength(1);
        const { state, nextToken } = ends[0]!;
        const rest = await collect(
          generate({ ...options, initialState: state, prompt: [nextToken], rng, maximumTokens: 7 }),
        );
        expect([...first, ...rest].map(({ token }) => token)).toEqual(whole.map(({ token }) => token));
        state.hidden.dispose();
      }
    });
  });

  it('hands over a state of its own when the model passes the borrowed one through', async () => {
    await withState(1, async initialState => {
      const ends: Hidden[] = [];
      const passing: Step<Hidden> = (_, state) => ({ logits: tf.zeros([1, vocabulary]), state });
      const onEnd: NonNullable<GenerateOptions<Hidden>['onEnd']> = ({ state }) => ends.push(state);
      await collect(generate({ step: passing, initialState, prompt: [1], maximumTokens: 2, temperature: 0, onEnd }));
      ends[0]!.hidden.dispose();
      expect(initialState.hidden.isDisposed).toBe(false);
    });
  });

  it('takes models without a state, and ones that pass their state through', async () => {
    await expectNoLeak(async () => {
      const next = tf.eye(vocabulary);
      const rotate = (tokens: Int32Array): tf.Tensor =>
        tf.gather(
          next,
          tf.tensor1d(
            tokens.map(token => (token + 1) % vocabulary),
            'int32',
          ),
        );
      const options = { prompt: [4], maximumTokens: 4, temperature: 0 };
      const stateless = await collect(
        generate({ ...options, initialState: [], step: (tokens, state) => ({ logits: rotate(tokens), state }) }),
      );
      expect(stateless.map(({ token }) => token)).toEqual([5, 6, 0, 1]);
      const shared = tf.zeros([1]);
      const ends: tf.Tensor[] = [];
      await collect(
        generate({
          ...options,
          initialState: { shared },
          step: (tokens, state) => ({ logits: rotate(tokens), state }),
          onEnd: end => ends.push(end.state.shared),
        }),
      );
      expect(shared.isDisposed).toBe(false);
      return [next, shared, ...ends];
    });
  });

  it('checks its options at the call', () => {
    const initialState = { hidden: tf.zeros([1, width]) };
    const good = { step, initialState, prompt: [1], maximumTokens: 3, rng: new Rng(1) };
    expect(() => generate({ ...good, prompt: [] })).toThrow(
      'generate: a prompt must have a token, got none in prompt 0.',
    );
    expect(() => generate({ ...good, prompt: [-1] })).toThrow('a token of prompt 0 must be an integer ≥ 0, got -1');
    expect(() => generate({ ...good, maximumTokens: 0 })).toThrow('maximumTokens must be an integer ≥ 1, got 0');
    expect(() => generate({ ...good, rng: undefined })).toThrow('generate: sampling needs an rng, got none.');
    expect(() => generate({ ...good, topP: 2 })).toThrow('topP must be a finite number > 0 ≤ 1, got 2');
    expect(() => generate({ ...good, stopStrings: ['x'] })).toThrow(
      'stopStrings need decode, got none. Pass { decode: ids => tokenizer.decode(ids) }.',
    );
    expect(() => generate({ ...good, stopStrings: [''], decode: letters })).toThrow('a stop string must not be empty');
    expect(() => generate({ ...good, stopTokens: [0.5] })).toThrow('stopTokens must be an integer ≥ 0, got 0.5');
    expect(() => generateBatch({ ...good, prompts: [] })).toThrow('there must be at least one prompt');
    initialState.hidden.dispose();
  });
});

describe('generateBatch', () => {
  it('gives every row what it gets alone, whatever the lengths of the prompts', async () => {
    const prompts = [[1], [2, 3, 4, 5, 6, 0, 1], [5, 5], [2, 3, 4, 5, 6, 0, 1]];
    const options = {
      step,
      maximumTokens: 25,
      temperature: 2,
      decode: letters,
      stopTokens: [3],
      stopStrings: ['ba', 'gg'],
    };
    await withState(prompts.length, async initialState => {
      const together = await collect(generateBatch({ ...options, prompts, initialState, rng: new Rng(21) }));
      for (const [row, prompt] of prompts.entries()) {
        await withState(1, async single => {
          const alone = await collect(
            generate({ ...options, prompt, initialState: single, rng: new Rng(21).split(row) }),
          );
          const own = together.filter(token => token.row === row);
          expect(own).toHaveLength(alone.length);
          for (const [i, token] of own.entries()) {
            expect({ ...token, row: 0, logProbability: 0 }).toEqual({ ...alone[i]!, logProbability: 0 });
            expect(token.logProbability).toBeCloseTo(alone[i]!.logProbability, 5);
          }
        });
      }
      const reasons = together.filter(({ finished }) => finished !== null);
      expect(reasons.map(({ row }) => row).toSorted()).toEqual([0, 1, 2, 3]);
    });
  });

  it('leaves no tensor behind when the loop is left early', async () => {
    await withState(2, async initialState => {
      for await (const token of generateBatch({
        step,
        initialState,
        prompts: [[1], [2, 3]],
        maximumTokens: 9,
        temperature: 0,
      })) {
        if (token.row === 1) break;
      }
    });
  });

  it('takes an option of a row that is undefined from the batch', async () => {
    const prompts = [[1], [2, 3]];
    const options = { step, prompts, maximumTokens: 6, temperature: 0 };
    await withState(2, async initialState => {
      const rows = [{ temperature: undefined, maximumTokens: undefined }, { rng: undefined }];
      const tokens = await collect(generateBatch({ ...options, rows, initialState }));
      expect(tokens).toEqual(await collect(generateBatch({ ...options, initialState })));
    });
  });

  it('gives each row options of its own, as `generate` would have it, and ends rows alone', async () => {
    const prompts = [[1], [2, 3], [4], [5, 6]];
    const rows = [
      { rng: new Rng(1), maximumTokens: 3 },
      { temperature: 0 },
      { rng: new Rng(3), temperature: 2, topK: 3, stopTokens: [0] },
      { signal: AbortSignal.abort() },
    ];
    const all = { step, maximumTokens: 8, rng: new Rng(9) };
    const alone: number[][] = [];
    for (const [row, prompt] of prompts.entries()) {
      await withState(1, async initialState => {
        const own = { ...all, rng: all.rng.split(row), ...rows[row]! };
        // Rows draw from where their generator stands: here from copies.
        const rng = row === 1 ? undefined : new Rng([1, 0, 3, 9][row]!);
        const drawn = await collect(generate({ ...own, rng: rng ?? own.rng, initialState, prompt }));
        alone.push(drawn.map(({ token }) => token));
      });
    }
    await withState(prompts.length, async initialState => {
      const drawn = await collect(generateBatch({ ...all, prompts, rows, initialState }));
      const tokens = prompts.map((_, row) => drawn.filter(one => one.row === row).map(({ token }) => token));
      expect(tokens.slice(0, 3)).toEqual(alone.slice(0, 3));
      expect(tokens[3]).toEqual([]);
      expect(tokens[0]).toHaveLength(3);
    });
    const one = { ...all, initialState: { hidden: table }, prompts, rows: rows.slice(1) };
    expect(() => generateBatch(one)).toThrow('rows must have an entry for each prompt, expected 4 entries, got 3');
  });
});
