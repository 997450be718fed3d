import { AdditiveAttention, MultiHeadAttention, MultiplicativeAttention, SelfAttention } from '@ostinato/attention';
import { type ScaledDotProductAttentionOptions, scaledDotProductAttention } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, compareWithGradients, type Golden } from '../golden.ts';
import { across, type Placement, place } from './placement.ts';

interface Config {
  readonly is_causal?: boolean;
  readonly scale?: number;
  readonly window?: number;
  readonly embed_dim?: number;
  readonly num_heads?: number;
  readonly key_dim?: number;
  readonly query_dim?: number;
}

type Values = Readonly<Record<string, tf.Tensor>>;

/** Cases of the folder `attention`, and Keras's multi-head attention. */
export function runAttentionCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  const config = golden.config as unknown as Config;
  if (golden.name.startsWith('keras/')) return runKerasMultiHead(golden, config);
  if (name.startsWith('multi')) return runMultiHead(golden, config);
  if (name.startsWith('additive')) return runAdditive(golden, config);
  if (name.startsWith('luong')) return runLuong(golden, config, name.split('_')[1] as 'dot' | 'general' | 'concat');
  return runOp(golden, config);
}

/** The op itself, in both layouts. */
function runOp(golden: Golden, { is_causal: causal, scale, window }: Config): CaseResult {
  // PyTorch's `is_causal` lets query i see the keys 0 … i, however many keys there are.
  const options: ScaledDotProductAttentionOptions = { scale, causal, causalOffset: 0 };
  const swap = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 1, 3]);
  const results = (['BHTD', 'BTHD'] as const).map(layout =>
    compareWithGradients(golden, ({ query, key, value, mask }) => {
      const bias = mask?.dtype === 'bool' ? tf.where(mask, 0, -Infinity) : mask;
      const band = window === undefined ? undefined : slidingWindow(query!.shape[2]!, window);
      const lay = layout === 'BTHD' ? swap : (x: tf.Tensor): tf.Tensor => x;
      const inputs = { query: lay(query!), key: lay(key!), value: lay(value!), bias: bias ?? band };
      return { output: lay(scaledDotProductAttention(inputs, { ...options, layout })) };
    }),
  );
  return { differences: results.flatMap(result => ('differences' in result ? result.differences : [])) };
}

/** Query t sees the keys t − window + 1 … t. */
function slidingWindow(time: number, window: number): tf.Tensor {
  const steps = tf.range(0, time, 1, 'int32');
  const age = tf.sub(tf.reshape(steps, [time, 1]), steps); // [Tq, Tk]
  return tf.where(tf.logicalAnd(tf.greaterEqual(age, 0), tf.less(age, window)), 0, -Infinity);
}

/** nn.MultiheadAttention: through `SelfAttention` where query, key and value are one, through `MultiHeadAttention` always. */
function runMultiHead(golden: Golden, { embed_dim: size = 0, num_heads: numHeads = 0 }: Config): CaseResult {
  const bias = 'in_proj_bias' in golden.parameters;
  const { key, value } = golden.inputs;
  const output = (values: Values): Placement => ({
    'output.weight': across(values['out_proj.weight']!),
    ...(bias ? { 'output.bias': values['out_proj.bias']! } : {}),
  });
  const general = compareWithGradients(golden, values => {
    const keySize = key?.shape[2];
    const layer = new MultiHeadAttention({ size, numHeads, bias, keySize, valueSize: value?.shape[2] });
    const separate = ['q', 'k', 'v'].map(letter => values[`${letter}_proj_weight`]);
    const weights = separate[0] ? separate : tf.split(values['in_proj_weight']!, 3, 0);
    const biases = bias ? tf.split(values['in_proj_bias']!, 3) : [];
    const placed: Placement = output(values);
    for (const [i, name] of ['query', 'key', 'value'].entries()) {
      placed[`${name}.weight`] = across(weights[i]!);
      if (bias) placed[`${name}.bias`] = biases[i]!;
    }
    place(layer, placed);
    const inputs = { query: values['query']!, key: values['key'], value: values['value'] };
    return { ...layer.withWeights(inputs, { mask: mayAttend(values) }) };
  });
  if (key) return general;
  const packed = compareWithGradients(golden, values => {
    const layer = new SelfAttention({ size, numHeads, bias });
    place(layer, {
      ...output(values),
      'queryKeyValue.weight': across(values['in_proj_weight']!),
      ...(bias ? { 'queryKeyValue.bias': values['in_proj_bias']! } : {}),
    });
    const options = { mask: mayAttend(values) };
    return {
      output: layer.call(values['query']!, options),
      weights: layer.withWeights(values['query']!, options).weights,
    };
  });
  return { differences: [general, packed].flatMap(result => ('differences' in result ? result.differences : [])) };
}

/** PyTorch's masks of nn.MultiheadAttention say what may not be attended to. */
export function mayAttend({ attn_mask: attention, key_padding_mask: padding }: Values): tf.Tensor | undefined {
  const masks: tf.Tensor[] = [];
  if (attention) masks.push(tf.logicalNot(attention));
  if (padding) masks.push(tf.logicalNot(tf.reshape(padding, [padding.shape[0]!, 1, 1, padding.shape[1]!])));
  return masks.length === 0 ? undefined : masks.reduce((all, mask) => tf.logicalAnd(all, mask));
}

/** Kernels are [inputs, heads, width] for what goes in and [heads, width, outputs] for what comes out. */
function runKerasMultiHead(golden: Golden, { num_heads: numHeads = 0, key_dim: headSize = 0 }: Config): CaseResult {
  const size = golden.inputs['x']!.shape[2]!;
  return compareWithGradients(golden, values => {
    const layer = new MultiHeadAttention({ size, numHeads, headSize });
    const placed: Placement = {
      'output.weight': tf.reshape(values['attention_output/kernel']!, [numHeads * headSize, size]),
      'output.bias': values['attention_output/bias']!,
    };
    for (const name of ['query', 'key', 'value']) {
      placed[`${name}.weight`] = tf.reshape(values[`${name}/kernel`]!, [size, numHeads * headSize]);
      placed[`${name}.bias`] = tf.reshape(values[`${name}/bias`]!, [-1]);
    }
    place(layer, placed);
    const { output, weights } = layer.withWeights({ query: values['x']!, key: values['value']! });
    return { output, attention: weights };
  });
}

function runAdditive(golden: Golden, { query_dim: querySize = 0, key_dim: memorySize = 0 }: Config): CaseResult {
  const attentionSize = golden.parameters['b']!.shape[0]!;
  return compareWithGradients(golden, values => {
    const layer = new AdditiveAttention({ querySize, memorySize, attentionSize });
    place(layer, {
      'query.weight': across(values['W_q']!),
      'key.weight': across(values['W_k']!),
      'key.bias': values['b']!,
      'score.weight': tf.reshape(values['v']!, [-1, 1]),
    });
    return { ...layer.call(values['query']!, values['keys']!, { lengths: values['lengths'] }) };
  });
}

function runLuong(
  golden: Golden,
  { query_dim: querySize = 0, key_dim: memorySize = 0 }: Config,
  form: 'dot' | 'general' | 'concat',
): CaseResult {
  const attentionSize = golden.parameters['v_a']?.shape[0];
  const outputSize = golden.parameters['W_c']!.shape[0]!;
  return compareWithGradients(golden, values => {
    const layer = new MultiplicativeAttention({ querySize, memorySize, form, attentionSize, outputSize });
    const placed: Placement = { 'combination.weight': across(values['W_c']!) };
    if (form === 'general') placed['key.weight'] = across(values['W_a']!);
    if (form === 'concat') {
      const [query, key] = tf.split(values['W_a']!, [querySize, memorySize], 1) as [tf.Tensor, tf.Tensor];
      placed['concat.query.weight'] = across(query);
      placed['concat.key.weight'] = across(key);
      placed['concat.score.weight'] = tf.reshape(values['v_a']!, [-1, 1]);
    }
    place(layer, placed);
    const { context, weights } = layer.call(values['query']!, values['keys']!, { lengths: values['lengths'] });
    return { context, weights, output: layer.combine(context, values['query']!) };
  });
}
