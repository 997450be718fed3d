import { FormatError, type Parameters, Rng, type RngState, type State } from '@ostinato/core';
import {
  assignParameters,
  checkParameters,
  readSafetensors,
  readTensors,
  type SafeTensor,
  writeSafetensors,
} from '@ostinato/weights';
import * as tf from '@tensorflow/tfjs-core';
import { checksum } from './checksum.ts';
import type { WeightAverage } from './ema.ts';
import type { Optimizer } from './optimizer.ts';

/** Plain JSON data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A carried state: the tree with the name of its tensor at every leaf, and the tensors. */
export interface SavedState {
  readonly layout: Json;
  readonly tensors: ReadonlyMap<string, SafeTensor>;
}

/** Everything a run needs to go on, to the bit, as plain data: nothing in it is on a device. */
export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  readonly parameters: ReadonlyMap<string, SafeTensor>;
  readonly optimizer: {
    readonly step: number;
    readonly tensors: ReadonlyMap<string, SafeTensor>;
    readonly numbers: Readonly<Record<string, number>>;
  };
  /** Averages of the parameters, when the run keeps them. */
  readonly average: ReadonlyMap<string, SafeTensor> | null;
  /** Recurrent state that the next step begins with. */
  readonly state: SavedState | null;
  readonly rng: RngState;
  /** Where the data goes on: whatever the batches' `state()` returned. */
  readonly cursor: Json;
  /** What the training loop remembers: early stopping, learning rate on a plateau. */
  readonly progress: Json;
  /** The user's own: hyper-parameters, vocabulary. */
  readonly config: Json;
}

/** What `captureCheckpoint` reads. */
export interface CaptureOptions {
  readonly step: number;
  readonly optimizer: Optimizer;
  /** Default: those of the optimizer. */
  readonly parameters?: Parameters | undefined;
  readonly average?: WeightAverage | undefined;
  readonly state?: State | undefined;
  readonly rng?: Rng | undefined;
  readonly cursor?: Json | undefined;
  readonly progress?: Json | undefined;
  readonly config?: Json | undefined;
}

/** Reads a run back from the device. */
export async function captureCheckpoint({
  step,
  optimizer,
  parameters = optimizer.parameters,
  average,
  state,
  rng = new Rng(0),
  cursor = null,
  progress = null,
  config = null,
}: CaptureOptions): Promise<Checkpoint> {
  const { step: optimizerStep, tensors, numbers } = optimizer.state();
  return {
    step,
    parameters: await readTensors(parameters),
    optimizer: { step: optimizerStep, tensors: await readTensors(tensors), numbers },
    average: average ? await readTensors(average.state()) : null,
    state: state === undefined ? null : await saveState(state),
    rng: rng.state(),
    cursor,
    progress,
    config,
  };
}

async function saveState(state: State): Promise<SavedState> {
  const tensors = new Map<string, tf.Tensor>();
  const layoutOf = (node: State, path: string): Json => {
    const below = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
    if (node instanceof tf.Tensor) {
      tensors.set(path, node);
      return path;
    }
    if (Array.isArray(node)) return node.map((child, i) => layoutOf(child, below(i)));
    return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, layoutOf(child, below(key))]));
  };
  const layout = layoutOf(state, '');
  return { layout, tensors: await readTensors(tensors) };
}

/** The state that was saved, as tensors of the present backend. The caller disposes them. */
export function restoreState<S extends State>({ layout, tensors }: SavedState): S {
  const build = (node: Json): State => {
    if (typeof node === 'string') return toTensor(tensors.get(node)!);
    if (Array.isArray(node)) return node.map(build);
    return Object.fromEntries(Object.entries(node as Record<string, Json>).map(([key, child]) => [key, build(child)]));
  };
  return build(layout) as S;
}

function toTensor({ dtype, shape, data }: SafeTensor): tf.Tensor {
  const types = { F32: 'float32', I32: 'int32', BOOL: 'bool' } as const;
  return tf.tensor((data as Float32Array).slice(), [...shape], types[dtype as 'F32']);
}

function withTensors<Result>(
  saved: ReadonlyMap<string, SafeTensor>,
  body: (tensors: ReadonlyMap<string, tf.Tensor>) => Result,
): Result {
  const tensors = new Map([...saved].map(([name, tensor]) => [name, toTensor(tensor)]));
  try {
    return body(tensors);
  } finally {
    tf.dispose([...tensors.values()]);
  }
}

/** What a checkpoint is given to. */
export interface RestoreTarget {
  readonly optimizer: Optimizer;
  /** All parameters of the model. Default: the optimizer's. */
  readonly parameters?: Parameters | undefined;
  readonly average?: WeightAverage | undefined;
}

/**
 * Checks that a checkpoint is of this model and optimizer, without changing anything.
 *
 * @throws FormatError or ShapeError naming what does not fit
 */
export function checkCheckpoint(
  checkpoint: Checkpoint,
  { optimizer, parameters = optimizer.parameters, average }: RestoreTarget,
): void {
  checkParameters(parameters, checkpoint.parameters);
  optimizer.check(checkpoint.optimizer);
  if (!average) return;
  if (!checkpoint.average) {
    throw new FormatError({ where: 'restoreCheckpoint', rule: 'the checkpoint must have averages', got: 'none' });
  }
  average.check(checkpoint.average);
}

/**
 * Gives a model, its optimizer and its averages the values of a checkpoint. All of it is checked before any of it changes.
 *
 * @throws as `checkCheckpoint`
 */
export function restoreCheckpoint(checkpoint: Checkpoint, target: RestoreTarget): void {
  checkCheckpoint(checkpoint, target);
  const { optimizer, parameters = optimizer.parameters, average } = target;
  const { step, numbers } = checkpoint.optimizer;
  withTensors(checkpoint.optimizer.tensors, tensors =>
    withTensors(average ? checkpoint.average! : new Map(), averages => {
      assignParameters(parameters, checkpoint.parameters);
      optimizer.restore({ step, tensors, numbers });
      average?.restore(averages);
    }),
  );
}

const format = 'ostinato-checkpoint';
const version = '1';

/**
 * A checkpoint as one safetensors file, which any safetensors reader opens: parameters are `model.*`, the optimizer's tensors
 * `optimizer.*`, averages `average.*`, the carried state `state.*`; the rest is JSON in the metadata, under a checksum of it
 * all.
 */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { step, parameters, optimizer, average, state, rng, cursor, progress, config } = checkpoint;
  const tensors = new Map<string, SafeTensor>();
  const add = (group: string, members: ReadonlyMap<string, SafeTensor>): void => {
    for (const [name, tensor] of members) tensors.set(`${group}.${name}`, tensor);
  };
  add('model', parameters);
  add('optimizer', optimizer.tensors);
  if (average) add('average', average);
  if (state) add('state', state.tensors);
  const content = JSON.stringify({
    step,
    optimizer: { step: optimizer.step, numbers: optimizer.numbers },
    average: average !== null,
    state: state && { layout: state.layout },
    rng,
    cursor,
    progress,
    config,
  });
  const metadata = new Map([
    ['format', format],
    ['version', version],
    ['content', content],
    ['checksum', checksum(content, tensors)],
  ]);
  return writeSafetensors({ tensors, metadata });
}

function damaged(rule: string, facts: { readonly expected?: string; readonly got?: string } = {}): never {
  const advice = 'Use another copy of the file, or train again.';
  throw new FormatError({ where: 'decodeCheckpoint', rule, ...facts, advice });
}

/**
 * Reads what `encodeCheckpoint` wrote. Nothing but the bytes is looked at: `restoreCheckpoint` gives them to a model.
 *
 * @throws FormatError when the file is damaged anywhere, is no checkpoint, or was written by a later version
 */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata.get('format') !== format) {
    damaged('the file must be a checkpoint', { expected: format, got: metadata.get('format') ?? 'none' });
  }
  if (metadata.get('version') !== version) {
    damaged('the checkpoint has another version', { expected: version, got: metadata.get('version') ?? 'none' });
  }
  const content = metadata.get('content') ?? '';
  const noted = metadata.get('checksum');
  if (noted === undefined) damaged('the file must note its checksum', { got: 'none' });
  const computed = checksum(content, tensors);
  if (noted !== computed) damaged('the content must have its checksum', { expected: noted, got: computed });
  return parseContent(content, groupTensors(tensors));
}

const groups = ['model', 'optimizer', 'average', 'state'] as const;
type Groups = Record<(typeof groups)[number], Map<string, SafeTensor>>;

function groupTensors(tensors: ReadonlyMap<string, SafeTensor>): Groups {
  const grouped: Groups = { model: new Map(), optimizer: new Map(), average: new Map(), state: new Map() };
  for (const [name, tensor] of tensors) {
    const dot = name.indexOf('.');
    const group = groups.find(known => known === name.slice(0, dot));
    if (!group) damaged('every tensor must be of a known group', { expected: groups.join(' | '), got: name });
    if (!['F32', 'I32', 'BOOL'].includes(tensor.dtype)) {
      damaged(`${name} must be F32, I32 or BOOL`, { got: tensor.dtype });
    }
    grouped[group].set(name.slice(dot + 1), tensor);
  }
  return grouped;
}

function parseContent(content: string, grouped: Groups): Checkpoint {
  let parsed: Record<string, Json>;
  try {
    parsed = JSON.parse(content) as Record<string, Json>;
  } catch {
    damaged('the content must be JSON');
  }
  const { step, optimizer, average, state, rng, cursor = null, progress = null, config = null } = parsed;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!isCount(step)) damaged('step must be a non-negative integer', { got: JSON.stringify(step) });
  const { step: optimizerStep, numbers } = (optimizer ?? {}) as { step?: Json; numbers?: Record<string, number> };
  if (!isCount(optimizerStep) || typeof numbers !== 'object' || numbers === null) {
    damaged('optimizer must be { step, numbers }');
  }
  const rngState = Rng.fromState(rng as unknown as RngState).state();
  let saved: SavedState | null = null;
  if (state) {
    saved = { layout: (state as { layout: Json }).layout, tensors: grouped.state };
    checkLayout(saved);
  }
  return {
    step,
    parameters: grouped.model,
    optimizer: { step: optimizerStep, tensors: grouped.optimizer, numbers },
    average: average === true ? grouped.average : null,
    state: saved,
    rng: rngState,
    cursor,
    progress,
    config,
  };
}

function checkLayout({ layout, tensors }: SavedState): void {
  if (typeof layout === 'string') {
    if (!tensors.has(layout)) damaged(`the state must have the tensor ${JSON.stringify(layout)}`);
  } else if (typeof layout === 'object' && layout !== null) {
    for (const child of Object.values(layout)) checkLayout({ layout: child, tensors });
  } else damaged('the layout of the state must be a tree of names', { got: JSON.stringify(layout) });
}
