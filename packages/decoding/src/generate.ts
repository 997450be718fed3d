import {
  ArgumentError,
  checkNumber,
  checkShape,
  mapState,
  type Rng,
  type State,
  stateTensors,
  yieldToEvents,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkSampling, chooseToken, type SamplingOptions } from './sample.ts';
import { logSumExp } from './softmax.ts';
import { TextStream } from './text-stream.ts';

/** What one step of a model returns: fresh tensors, which `generate` disposes. */
export interface StepOutput<S extends State> {
  /** float32 [batch, vocabulary]: scores of the next token. */
  readonly logits: tf.Tensor;
  /** The state after the step. A tensor of the old state may be in it again. */
  readonly state: S;
}

/**
 * One step of a sequence model: reads one token of every row. Runs inside `tf.tidy`, so intermediate tensors need no care;
 * the state that it is given is not the step's to dispose.
 *
 * @param tokens int32 [batch]
 */
export type Step<S extends State> = (tokens: Int32Array, state: S) => StepOutput<S>;

/** Why a row ended: one of `stopTokens`, one of `stopStrings`, or as many tokens as asked for. */
export type FinishReason = 'stopToken' | 'stopString' | 'maximumTokens';

/** A token as it is drawn. */
export interface GeneratedToken {
  /** Which prompt it continues. */
  readonly row: number;
  /** 0 for the first token behind the prompt. */
  readonly index: number;
  readonly token: number;
  /** ln p(token | the tokens before it) under the model itself: before penalties, temperature and filters. */
  readonly logProbability: number;
  /** Text that can be shown now, '' where it must wait; the texts of a row joined are its text. Without `decode` always ''. */
  readonly text: string;
  /** With the last token of a row, why it is the last; otherwise null. */
  readonly finished: FinishReason | null;
}

/** How tokens are drawn, and when a row ends. */
interface RowOptions extends SamplingOptions {
  /** Most tokens behind a prompt. */
  readonly maximumTokens: number;
  /** Tokens that end a row; they are yielded but are not in its text. Default: none. */
  readonly stopTokens?: readonly number[] | undefined;
  /** Texts that end a row; neither they nor what follows is in its text. They may lie across tokens. Need `decode`. */
  readonly stopStrings?: readonly string[] | undefined;
  /** Text of token ids, such as `ids => tokenizer.decode(ids)`. */
  readonly decode?: ((ids: Int32Array) => string) | undefined;
}

interface ModelOptions<S extends State> {
  readonly step: Step<S>;
  /** State before the prompt, for as many rows as there are prompts. It stays the caller's and is not disposed. */
  readonly initialState: S;
}

/** Options of `generate`. */
export interface GenerateOptions<S extends State> extends ModelOptions<S>, RowOptions {
  /** Token ids, at least one. */
  readonly prompt: ArrayLike<number>;
  /** Needed unless the temperature is 0. One number is drawn for each token. */
  readonly rng?: Rng | undefined;
  /**
   * Called once when the loop ends, also early, but not after an error: with the state before `nextToken`, which was the last
   * to be yielded. The state is the caller's from then on; `generate({ initialState: state, prompt: [nextToken] })` goes on.
   */
  readonly onEnd?: ((end: { readonly state: S; readonly nextToken: number }) => void) | undefined;
}

/** Options of `generateBatch`. */
export interface GenerateBatchOptions<S extends State> extends ModelOptions<S>, RowOptions {
  /** Token ids, at least one in each; lengths may differ. */
  readonly prompts: readonly ArrayLike<number>[];
  /** Needed unless the temperature is 0. Row b draws from `rng.split(b)`, so other rows do not matter to it. */
  readonly rng?: Rng | undefined;
  /** What is otherwise in each row: an entry for each prompt. Default: nothing. */
  readonly rows?: readonly RowOverrides[] | undefined;
}

/** What may be otherwise in one row of a batch: an option that is not given is that of the batch. */
export type RowOverrides = { readonly [Name in keyof RowOptions]?: RowOptions[Name] | undefined } & {
  /** What this row draws from, itself. */
  readonly rng?: Rng | undefined;
  /** Ends this row alone: nothing more is yielded of it. */
  readonly signal?: AbortSignal | undefined;
};

/**
 * Continues a prompt, one token at a time: t₁ … tₙ is read step by step, then each token is drawn from the model's
 * distribution, as `SamplingOptions` changes it, and read in turn.
 *
 * Leaving the loop early disposes what was carried. Nothing leaks, and `initialState` is untouched.
 *
 * @throws ArgumentError at the call, when an option is out of range; from the loop, when the rules forbid every token
 * @throws NonFiniteError from the loop, when a logit is NaN or +Infinity
 * @throws ShapeError from the loop, when logits are not [1, vocabulary]
 */
export function generate<S extends State>({
  prompt,
  rng,
  onEnd,
  ...options
}: GenerateOptions<S>): AsyncGenerator<GeneratedToken, void, undefined> {
  const rows = startRows('generate', [prompt], [{ ...options, rng }]);
  return run('generate', rows, options, onEnd);
}

/**
 * Continues several prompts together; tokens of all rows come as they are drawn. A row is what `generate` yields for its
 * prompt with `rng.split(row)`: rows whose prompt is longer are still reading theirs while others generate. With `rows` each has
 * options of its own.
 *
 * @throws as `generate` does
 */
export function generateBatch<S extends State>({
  prompts,
  rng,
  rows,
  ...options
}: GenerateBatchOptions<S>): AsyncGenerator<GeneratedToken, void, undefined> {
  const where = 'generateBatch';
  if (rows !== undefined && rows.length !== prompts.length) {
    const [expected, got] = [`${prompts.length} entries`, `${rows.length}`];
    throw new ArgumentError({ where, rule: 'rows must have an entry for each prompt', expected, got });
  }
  const each = prompts.map((_, row) => ({ ...options, rng: rng?.split(row), ...given(rows?.[row]) }));
  return run(where, startRows(where, prompts, each), options);
}

/** What is known of one row. */
interface Row {
  readonly index: number;
  /** The prompt and what was generated. */
  readonly ids: number[];
  readonly promptLength: number;
  readonly options: RowOptions & Pick<RowOverrides, 'rng' | 'signal'>;
  readonly text: TextStream | undefined;
  finished: boolean;
}

function startRows(where: string, prompts: readonly ArrayLike<number>[], each: readonly Row['options'][]): Row[] {
  if (prompts.length === 0) throw new ArgumentError({ where, rule: 'there must be at least one prompt', got: 'none' });
  each.forEach(options => {
    checkRow(where, options);
  });
  return prompts.map((prompt, index) => {
    const ids = Array.from(prompt);
    if (ids.length === 0) {
      const advice = 'Begin with the token that begins or ends texts.';
      throw new ArgumentError({ where, rule: 'a prompt must have a token', got: `none in prompt ${index}`, advice });
    }
    for (const id of ids) checkNumber(where, `a token of prompt ${index}`, id, { integer: true, min: 0 });
    const options = each[index]!;
    const text = options.decode && new TextStream(options.decode, ids, options.stopStrings ?? []);
    return { index, ids, promptLength: ids.length, options, text, finished: false };
  });
}

function checkRow(where: string, options: Row['options']): void {
  const { maximumTokens, stopTokens = [], stopStrings = [], decode } = options;
  checkSampling(where, options);
  checkNumber(where, 'maximumTokens', maximumTokens, { integer: true, min: 1 });
  for (const token of stopTokens) checkNumber(where, 'stopTokens', token, { integer: true, min: 0 });
  if (stopStrings.includes('')) throw new ArgumentError({ where, rule: 'a stop string must not be empty', got: "''" });
  if (stopStrings.length > 0 && decode === undefined) {
    const advice = 'Pass { decode: ids => tokenizer.decode(ids) }.';
    throw new ArgumentError({ where, rule: 'stopStrings need decode', got: 'none', advice });
  }
}

/** The options of a row that are given: one that is undefined is that of the batch. */
function given(overrides: RowOverrides | undefined): Partial<RowOptions> & Pick<RowOverrides, 'rng' | 'signal'> {
  return Object.fromEntries(Object.entries(overrides ?? {}).filter(([, value]) => value !== undefined));
}

/** Runs one step and takes its tensors out of the tidy around it. */
function stepOnce<S extends State>(step: Step<S>, tokens: Int32Array, state: S): StepOutput<S> {
  let output: StepOutput<S> | undefined;
  tf.tidy(() => {
    output = step(tokens, state);
    return [output.logits, ...stateTensors(output.state)];
  });
  return output!;
}

async function* run<S extends State>(
  where: string,
  rows: readonly Row[],
  options: ModelOptions<S>,
  onEnd?: GenerateOptions<S>['onEnd'],
): AsyncGenerator<GeneratedToken, void, undefined> {
  const borrowed = new Set(stateTensors(options.initialState));
  const dispose = (tensors: readonly tf.Tensor[], kept: readonly tf.Tensor[] = []): void => {
    for (const tensor of tensors) if (!borrowed.has(tensor) && !kept.includes(tensor)) tensor.dispose();
  };
  let state = options.initialState;
  let failed = true;
  try {
    for (let time = 0; ; time++) {
      await yieldToEvents();
      for (const row of rows) row.finished ||= row.options.signal?.aborted === true;
      if (rows.every(row => row.finished)) break;
      // [B]; a finished row reads its last token again, and nobody looks at what comes of it.
      const tokens = Int32Array.from(rows, ({ ids }) => ids[Math.min(time, ids.length - 1)]!);
      const output = stepOnce(options.step, tokens, state);
      const tensors = stateTensors(output.state);
      dispose(stateTensors(state), tensors);
      state = output.state;

      const drawing = rows.filter(row => !row.finished && row.ids.length === time + 1);
      const logits = await readRows(where, output.logits, rows.length, drawing.length > 0).finally(() =>
        dispose([output.logits], tensors),
      );
      const drawn = drawing.map(row => draw(row, logits[row.index]!));
      for (const token of drawn) {
        failed = false;
        yield token;
        failed = true;
      }
    }
    failed = false;
  } finally {
    if (failed || onEnd === undefined) dispose(stateTensors(state));
    else {
      const own = mapState(state, tensor => (borrowed.has(tensor) ? tf.clone(tensor) : tensor));
      onEnd({ state: own, nextToken: rows[0]!.ids.at(-1)! });
    }
  }
}

/** The logits of every row; nothing is read back where no row needs them. */
async function readRows(where: string, logits: tf.Tensor, batch: number, needed: boolean): Promise<Float32Array[]> {
  checkShape(where, 'logits', logits, { batch, vocabulary: null }, 'float32');
  if (!needed) return [];
  const values = (await logits.data()) as Float32Array; // [B, V]
  const vocabulary = logits.shape[1]!;
  return Array.from({ length: batch }, (_, row) => values.slice(row * vocabulary, (row + 1) * vocabulary));
}

/** Draws the next token of a row and appends it. */
function draw(row: Row, logits: Float32Array): GeneratedToken {
  const { maximumTokens, stopTokens = [], stopStrings: _, ...sampling } = row.options;
  const token = chooseToken(logits, { ...sampling, previous: row.ids });
  row.ids.push(token);
  const count = row.ids.length - row.promptLength;
  const isStop = stopTokens.includes(token);
  const isLast = isStop || count >= maximumTokens;

  const piece = isStop ? undefined : row.text?.push(token);
  const rest = isLast && !piece?.stopped ? row.text?.finish() : undefined;
  const stopped = piece?.stopped || rest?.stopped;
  const finished: FinishReason | null = isStop ? 'stopToken' : stopped ? 'stopString' : isLast ? 'maximumTokens' : null;
  row.finished = finished !== null;
  return {
    row: row.index,
    index: count - 1,
    token,
    logProbability: logits[token]! - logSumExp('generate', logits),
    text: (piece?.text ?? '') + (rest?.text ?? ''),
    finished,
  };
}
