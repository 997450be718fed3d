import { type Module, parameters, stateTensors, variable } from '@ostinato/core';
import { Embedding } from '@ostinato/embeddings';
import {
  GRU,
  LSTM,
  type NamedState,
  type RecurrentStack,
  RNN,
  type SequenceCell,
  type StackCallOptions,
} from '@ostinato/recurrent';
import * as tf from '@tensorflow/tfjs-core';
import {
  type CaseResult,
  type Comparison,
  type Golden,
  type GoldenTensor,
  numbers,
  tensor,
  wanted,
} from '../golden.ts';

/**
 * The folders `rnn` and `keras` (RNN, LSTM, GRU), `bptt/lm_document_reset` and `layers/embedding*`, through the public layers:
 * weights are copied in, gradients copied out, and both rewritten between the reference's layout and ours.
 */

/** A matrix or vector in the layout of the reference. */
interface Values {
  readonly shape: readonly number[];
  readonly data: number[];
}

/** How one of our parameters follows from the reference's: from the sum of `sources`, each rewritten by `rewrite`. */
interface Link {
  readonly path: string;
  readonly sources: readonly Source[];
}

/** One parameter of the reference, or one row of it, and the rewriting to our layout and back. */
interface Source {
  readonly name: string;
  /** Row of a [2, 3H] bias of Keras: 0 input, 1 recurrent. */
  readonly row?: number;
  /** Whether it is [outputs, inputs]. */
  readonly transposed: boolean;
  /** Order of our gates in the reference's; its own inverse in all cases here. */
  readonly gates: readonly number[];
}

type Layer = RecurrentStack<NamedState, Module & SequenceCell<NamedState>>;

/** A case: our layer, where its weights come from, its state, and what to do with time. */
interface Setting {
  readonly layer: Layer;
  readonly links: readonly Link[];
  readonly states: readonly StateName[];
  /** Keras's masks and `go_backwards`; see `withMask`. */
  readonly keras?: boolean;
}

/** Where the golden has a tensor of the state: `initial` among the inputs, `final` among the outputs. */
interface StateName {
  readonly entry: number;
  readonly field: string;
  readonly initial: string;
  readonly final: string;
  /** Index along the first axis, when the golden stacks the layers and directions there. */
  readonly index?: number;
}

type Config = Readonly<Record<string, number | string | boolean>>;

/** Runs a case of a recurrent layer or of an embedding. */
export function runRecurrentCase(golden: Golden): CaseResult {
  const config = golden.config as unknown as Config;
  if (golden.name.includes('embedding')) return runEmbedding(golden, config);
  if (golden.name.includes('lm_document_reset')) return runDocumentReset(golden, config);
  const setting = golden.name.startsWith('keras/') ? kerasSetting(golden, config) : torchSetting(golden, config);
  try {
    return compare(golden, setting);
  } finally {
    setting.layer.dispose();
  }
}

const identityOrder = [0, 1, 2, 3];
/** r, z, n ↔ z, r, n. */
const swappedOrder = [1, 0, 2];

function build(kind: string, options: { inputSize: number; hiddenSize: number; [option: string]: unknown }): Layer {
  if (kind.startsWith('rnn') || kind === 'SimpleRNN') return new RNN(options) as unknown as Layer;
  return (kind.toLowerCase().includes('lstm') ? new LSTM(options) : new GRU(options)) as unknown as Layer;
}

/** Cases of `rnn`: torch's names, and the two that were written out from their equations. */
function torchSetting(golden: Golden, config: Config): Setting {
  const kind = String(config['cell']);
  const options = { inputSize: Number(config['input_size']), hiddenSize: Number(config['hidden_size']) };
  if (golden.parameters['W']) return equationsSetting(golden, kind, options);
  const bias = config['bias'] === true;
  const both = config['bidirectional'] === true;
  const layer = build(kind, {
    ...options,
    numLayers: Number(config['num_layers']),
    bidirectional: both,
    bias,
    ...(kind === 'rnn_relu' ? { activation: 'relu' } : {}),
    ...(config['proj_size'] ? { projectionSize: Number(config['proj_size']) } : {}),
  });
  const links: Link[] = [];
  const states: StateName[] = [];
  const source = (name: string): Source => ({ name, transposed: name.startsWith('weight'), gates: identityOrder });
  for (let index = 0; index < Number(config['num_layers']); index++) {
    for (const direction of both ? ['forward', 'backward'] : ['forward']) {
      const path = `layers.${index}.${direction}`;
      const suffix = `l${index}${direction === 'backward' ? '_reverse' : ''}`;
      links.push({ path: `${path}.inputWeight`, sources: [source(`weight_ih_${suffix}`)] });
      links.push({ path: `${path}.recurrentWeight`, sources: [source(`weight_hh_${suffix}`)] });
      const [input, recurrent] = [source(`bias_ih_${suffix}`), source(`bias_hh_${suffix}`)];
      if (bias && kind === 'gru') {
        links.push({ path: `${path}.bias`, sources: [input] }, { path: `${path}.recurrentBias`, sources: [recurrent] });
      } else if (bias) links.push({ path: `${path}.bias`, sources: [input, recurrent] });
      if (config['proj_size']) links.push({ path: `${path}.projection`, sources: [source(`weight_hr_${suffix}`)] });
      const entry = states.length === 0 ? 0 : states.at(-1)!.entry + 1;
      states.push({ entry, field: 'hidden', initial: 'h0', final: 'h_n', index: entry });
      if (kind === 'lstm') states.push({ entry, field: 'cell', initial: 'c0', final: 'c_n', index: entry });
    }
  }
  return { layer, links, states };
}

function equationsSetting(golden: Golden, kind: string, options: { inputSize: number; hiddenSize: number }): Setting {
  const lstm = kind.includes('lstm');
  const layer = build(kind, { ...options, ...(lstm ? { layerNorm: true } : { resetAfter: false }) });
  const paths: Record<string, string> = {
    W: 'inputWeight',
    U: 'recurrentWeight',
    b: 'bias',
    gamma_x: 'inputNorm.gain',
    gamma_h: 'recurrentNorm.gain',
    gamma_c: 'cellNorm.gain',
    beta_c: 'cellNorm.bias',
  };
  const links = Object.keys(golden.parameters).map(name => ({
    path: `layers.0.forward.${paths[name]}`,
    sources: [
      {
        name,
        transposed: name === 'W' || name === 'U',
        gates: lstm ? (name.endsWith('_c') ? [0] : identityOrder) : swappedOrder,
      },
    ],
  }));
  const states = [{ entry: 0, field: 'hidden', initial: 'h0', final: 'h_n' }];
  return {
    layer,
    links,
    states: lstm ? [...states, { entry: 0, field: 'cell', initial: 'c0', final: 'c_n' }] : states,
  };
}

/** Cases of `keras`: weights are [inputs, outputs] already; gates of the GRU are z, r, h; its bias may be [2, 3H]. */
function kerasSetting(golden: Golden, config: Config): Setting {
  const kind = String(config['layer']);
  const both = config['merge_mode'] !== undefined;
  const bias = config['use_bias'] !== false;
  const layer = build(kind, {
    inputSize: Number(config['input_size']),
    hiddenSize: Number(config['units']),
    bidirectional: both,
    bias,
    ...(config['activation'] === 'relu' ? { activation: 'relu' } : {}),
    ...(kind === 'GRU' ? { resetAfter: config['reset_after'] === true } : {}),
  });
  const gates = kind === 'GRU' ? swappedOrder : identityOrder;
  const links: Link[] = [];
  const states: StateName[] = [];
  for (const [entry, direction] of (both ? ['forward', 'backward'] : ['forward']).entries()) {
    const path = `layers.0.${direction}`;
    const prefix = both ? `${direction}/` : '';
    const suffix = both ? `_${direction}` : '';
    const source = (name: string): Source => ({ name: prefix + name, transposed: false, gates });
    links.push({ path: `${path}.inputWeight`, sources: [source('kernel')] });
    links.push({ path: `${path}.recurrentWeight`, sources: [source('recurrent_kernel')] });
    if (bias && golden.parameters[`${prefix}bias`]!.shape.length === 2) {
      links.push({ path: `${path}.bias`, sources: [{ ...source('bias'), row: 0 }] });
      links.push({ path: `${path}.recurrentBias`, sources: [{ ...source('bias'), row: 1 }] });
    } else if (bias) links.push({ path: `${path}.bias`, sources: [source('bias')] });
    states.push({ entry, field: 'hidden', initial: 'h0', final: `h${suffix}` });
    if (kind === 'LSTM') states.push({ entry, field: 'cell', initial: 'c0', final: `c${suffix}` });
  }
  return { layer, links, states, keras: true };
}

const transposed = ({ shape, data }: Values): Values => {
  const [rows, columns] = shape as [number, number];
  return {
    shape: [columns, rows],
    data: Array.from({ length: rows * columns }, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
  };
};

/** Blocks of the last axis in another order. Orders with more entries than there are gates leave everything in place. */
const reordered = ({ shape, data }: Values, order: readonly number[]): Values => {
  if (order.every((from, to) => from === to)) return { shape, data };
  const width = shape.at(-1)!;
  const block = width / order.length;
  return {
    shape,
    data: data.map((_, i) => {
      const column = i % width;
      return data[i - column + order[Math.floor(column / block)]! * block + (column % block)]!;
    }),
  };
};

function toOurs(golden: GoldenTensor, { row, transposed: flip, gates }: Source): Values {
  const all = numbers(golden);
  const width = golden.shape.at(-1)!;
  const values =
    row === undefined
      ? { shape: golden.shape, data: all }
      : { shape: [width], data: all.slice(row * width, (row + 1) * width) };
  return reordered(flip ? transposed(values) : values, gates);
}

function toTheirs(values: Values, { transposed: flip, gates }: Source): Values {
  const ordered = reordered(values, gates);
  return flip ? transposed(ordered) : ordered;
}

/** Assigns the golden's parameters to the layer's. */
function copyIn(golden: Golden, layer: Module, links: readonly Link[]): void {
  const ours = parameters(layer);
  if (ours.size !== links.length) throw new Error(`${ours.size} parameters, ${links.length} of them linked`);
  for (const { path, sources } of links) {
    tf.tidy(() => {
      const parts = sources.map(source => {
        const { shape, data } = toOurs(golden.parameters[source.name]!, source);
        return tf.tensor(data, [...shape]);
      });
      ours.get(path)!.assign(tf.addN(parts));
    });
  }
}

/** The gradients of the golden's parameters, from those of ours; two biases that are only ever added have the same one. */
function copyOut(golden: Golden, links: readonly Link[], gradients: ReadonlyMap<string, tf.Tensor>): Comparison[] {
  const found = new Map<string, number[]>();
  for (const { path, sources } of links) {
    const gradient = gradients.get(path)!;
    for (const source of sources) {
      const { data } = toTheirs({ shape: gradient.shape, data: Array.from(gradient.dataSync()) }, source);
      found.set(source.name, [...(found.get(source.name) ?? []), ...data]);
    }
  }
  return [...found].map(([name, got]) => {
    const want = golden.gradients.parameters?.[name];
    return { name: `d ${name}`, got, want: want ? numbers(want) : new Float32Array(got.length) };
  });
}

function compare(golden: Golden, { layer, links, states, keras = false }: Setting): CaseResult {
  return scoped(() => {
    copyIn(golden, layer, links);
    const names = Object.keys(golden.inputs).filter(name => golden.inputs[name]!.dtype === 'float32');
    const inputs = names.map(name => tensor(golden.inputs[name]!));
    const outputs = (values: readonly tf.Tensor[]): Record<string, tf.Tensor> => {
      const named = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
      const state = initialState(named, states);
      const run = keras ? withMask(golden, layer) : plain(golden, layer);
      const result = run(named['x']!, state ? { state } : {});
      return { output: result.output, ...finalStates(result.state, states) };
    };
    const loss = (...values: tf.Tensor[]): tf.Scalar => {
      const all = outputs(values);
      const terms = Object.entries(golden.cotangents).map(([name, cotangent]) =>
        tf.sum(tf.mul(all[name]!, tensor(cotangent))),
      );
      return tf.addN(terms) as tf.Scalar;
    };
    const differences: Comparison[] = Object.entries(outputs(inputs)).map(([name, got]) => ({
      name,
      got: got.dataSync(),
      want: numbers(golden.outputs[name]!),
    }));
    tf.grads(loss)(inputs).forEach((gradient, i) => {
      const want = wanted(golden.gradients.inputs?.[names[i]!], gradient);
      differences.push({ name: `d ${names[i]}`, got: gradient.dataSync(), want });
    });
    differences.push(
      ...copyOut(
        golden,
        links,
        parameterGradients(layer, () => loss(...inputs)),
      ),
    );
    return { differences };
  });
}

/** `tf.tidy` for a body that returns numbers. */
function scoped(body: () => CaseResult): CaseResult {
  let result: CaseResult | undefined;
  tf.tidy(() => {
    result = body();
  });
  return result!;
}

function parameterGradients(root: Module | readonly Module[], loss: () => tf.Scalar): Map<string, tf.Tensor> {
  const ours = parameters(root);
  const { grads } = tf.variableGrads(loss, [...ours.values()]);
  return new Map([...ours].map(([path, variable]) => [path, grads[variable.name]!]));
}

function initialState(named: Record<string, tf.Tensor>, states: readonly StateName[]): NamedState[] | undefined {
  if (!named['h0']) return undefined;
  const result: Record<string, tf.Tensor>[] = [];
  for (const { entry, field, initial, index } of states) {
    const given = named[initial]!;
    const part = index === undefined ? given : tf.squeeze(tf.slice(given, [index, 0, 0], [1, -1, -1]), [0]);
    result[entry] = { ...result[entry], [field]: part };
  }
  return result;
}

function finalStates(state: readonly NamedState[], states: readonly StateName[]): Record<string, tf.Tensor> {
  const parts = new Map<string, tf.Tensor[]>();
  for (const { entry, field, final } of states) {
    parts.set(final, [...(parts.get(final) ?? []), state[entry]![field]!]);
  }
  const stacked = states[0]!.index !== undefined;
  return Object.fromEntries([...parts].map(([name, tensors]) => [name, stacked ? tf.stack(tensors) : tensors[0]!]));
}

type Run = (input: tf.Tensor, options: StackCallOptions<NamedState>) => ReturnType<Layer['call']>;

function plain(golden: Golden, layer: Layer): Run {
  const lengths = golden.inputs['lengths'];
  return (input, options) => layer.call(input, lengths ? { ...options, lengths: numbers(lengths) } : options);
}

/**
 * Keras's masks and `go_backwards`, in terms of lengths.
 *
 * A masked step keeps the state and repeats the last output (zeros before the first one). A row's valid steps are moved to its
 * start and run with lengths, and the outputs moved back, a masked step reading the output of the last valid one: gathers
 * of rows of [B·T, ·], where row B·T is zero. `go_backwards` lists outputs in the order of reading.
 */
function withMask(golden: Golden, layer: Layer): Run {
  return (input, options) => {
    const [batch, time] = input.shape as [number, number, number];
    const backwards = (golden.config as unknown as Config)['go_backwards'] === true;
    const mask = golden.inputs['mask'] ? numbers(golden.inputs['mask']) : Array<number>(batch * time).fill(1);
    const none = batch * time;
    const compact: number[] = Array<number>(none).fill(none);
    const spread: number[] = Array<number>(none).fill(none);
    const lengths: number[] = [];
    for (let row = 0; row < batch; row++) {
      let count = 0;
      for (let read = 0; read < time; read++) {
        const t = backwards ? time - 1 - read : read;
        if (mask[row * time + t]) compact[row * time + count++] = row * time + t;
        if (count > 0) spread[row * time + read] = row * time + count - 1;
      }
      lengths.push(count);
    }
    const result = layer.call(gatherSteps(input, compact), { ...options, lengths });
    return { output: gatherSteps(result.output, spread), state: result.state };
  };
}

/** Step i of the result is step `from[i]` of the input, both counted over [B·T]; B·T stands for zeros. */
function gatherSteps(input: tf.Tensor, from: readonly number[]): tf.Tensor {
  const [batch, time, size] = input.shape as [number, number, number];
  const rows = tf.concat([tf.reshape(input, [batch * time, size]), tf.zeros([1, size])]);
  return tf.reshape(tf.gather(rows, tf.tensor1d([...from], 'int32')), [batch, time, size]);
}

function runEmbedding(golden: Golden, config: Config): CaseResult {
  const weight = golden.parameters['weight']!;
  const padding = config['padding_idx'];
  const embedding = new Embedding({
    vocabularySize: weight.shape[0]!,
    embeddingSize: weight.shape[1]!,
    ...(padding === undefined ? {} : { paddingIndex: Number(padding) }),
  });
  const result = scoped(() => {
    embedding.table.assign(tensor(weight));
    const ids = tensor(golden.inputs['ids']!);
    const cotangent = tensor(golden.cotangents['output']!);
    const gradients = parameterGradients(embedding, () => tf.sum(tf.mul(embedding.call(ids), cotangent)));
    const links = [{ path: 'table', sources: [{ name: 'weight', transposed: false, gates: identityOrder }] }];
    const output = { name: 'output', got: embedding.call(ids).dataSync(), want: numbers(golden.outputs['output']!) };
    return { differences: [output, ...copyOut(golden, links, gradients)] };
  });
  embedding.dispose();
  return result;
}

/** A small language model whose state starts anew at document ends: mean cross-entropy of the next token. */
function runDocumentReset(golden: Golden, config: Config): CaseResult {
  const [vocabularySize, embeddingSize, hiddenSize] = [
    Number(config['vocab']),
    Number(config['embedding']),
    Number(config['hidden']),
  ];
  const embedding = new Embedding({ vocabularySize, embeddingSize });
  const lstm = new LSTM({ inputSize: embeddingSize, hiddenSize });
  const weight = variable(tf.zeros([hiddenSize, vocabularySize]));
  const bias = variable(tf.zeros([vocabularySize]));
  const source = (name: string): Source => ({
    name,
    transposed: name.includes('weight_') || name === 'out.weight',
    gates: identityOrder,
  });
  const path = '1.layers.0.forward';
  const links: Link[] = [
    { path: '0.table', sources: [source('embedding.weight')] },
    { path: `${path}.inputWeight`, sources: [source('lstm.weight_ih_l0')] },
    { path: `${path}.recurrentWeight`, sources: [source('lstm.weight_hh_l0')] },
    { path: `${path}.bias`, sources: [source('lstm.bias_ih_l0'), source('lstm.bias_hh_l0')] },
    { path: '2', sources: [source('out.weight')] },
    { path: '3', sources: [source('out.bias')] },
  ];
  const model = [embedding, lstm, weight, bias] as unknown as Module;
  const result = scoped(() => {
    copyIn(golden, model, links);
    const [batch, stored] = golden.inputs['ids']!.shape as [number, number];
    const time = stored - 1;
    const ids = tensor(golden.inputs['ids']!);
    const targets = tf.oneHot(tf.cast(tf.reshape(tf.slice(ids, [0, 1], [batch, time]), [-1]), 'int32'), vocabularySize);
    const resets = numbers(golden.inputs['reset']!);
    const run = (): { loss: tf.Scalar; state: readonly NamedState[] } => {
      const { output, state } = lstm.call(embedding.call(tf.slice(ids, [0, 0], [batch, time])), { resets });
      const logits = tf.add(tf.matMul(tf.reshape(output, [-1, hiddenSize]), weight), bias); // [B·T, V]
      return { loss: tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), 1))) as tf.Scalar, state };
    };
    const { loss, state } = run();
    const [hidden, cell] = stateTensors(state) as [tf.Tensor, tf.Tensor];
    const got = { loss, h_n: hidden, c_n: cell };
    const outputs = Object.entries(got).map(([name, value]) => ({
      name,
      got: value.dataSync(),
      want: numbers(golden.outputs[name]!),
    }));
    return {
      differences: [
        ...outputs,
        ...copyOut(
          golden,
          links,
          parameterGradients(model, () => run().loss),
        ),
      ],
    };
  });
  for (const variable of parameters(model).values()) variable.dispose();
  return result;
}
