import {
  Transformer,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from '@ostinato/attention';
import { type Module, RMSNorm } from '@ostinato/core';
import { gelu, silu } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, compareWithGradients, type Golden } from '../golden.ts';
import { mayAttend } from './attention.ts';
import { across, type Placement, place } from './placement.ts';

type Config = Readonly<Record<string, number | string | boolean>>;
type Values = Readonly<Record<string, tf.Tensor>>;

/** Cases of the folder `transformer`. */
export function runTransformerCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  const config = golden.config as unknown as Config;
  if (name === 'llama_block') return runLlama(golden, config);
  const options: TransformerLayerOptions = {
    size: Number(config['d_model']),
    numHeads: Number(config['nhead']),
    feedForwardSize: Number(config['dim_feedforward']),
    activation: config['activation'] === 'gelu' ? x => gelu(x) : tf.relu,
    preNorm: config['norm_first'] === true,
  };
  return compareWithGradients(golden, values => {
    const placed = <M extends Module>(module: M): M => {
      place(module, fromTorch(values));
      return module;
    };
    const padded = (mask: tf.Tensor | undefined) => mayAttend(mask ? { key_padding_mask: mask } : {});
    const barred = (mask: tf.Tensor | undefined) => mayAttend(mask ? { attn_mask: mask } : {});
    const source = values['src']!;
    if (name.startsWith('encoder_layer')) {
      const mask = padded(values['src_key_padding_mask']);
      return { output: placed(new TransformerEncoderLayer(options)).call(source, { mask }) };
    }
    if (name.startsWith('encoder_stack')) {
      const stack = new TransformerEncoder({ ...options, numLayers: Number(config['layers']), finalNorm: true });
      return { output: placed(stack).call(source, { mask: barred(values['mask']) }) };
    }
    if (name.startsWith('decoder_layer')) {
      const inputs = { input: values['tgt']!, memory: values['memory']! };
      const masks = {
        ...{ causal: false, mask: barred(values['tgt_mask']) },
        memoryMask: { mask: padded(values['memory_key_padding_mask']) },
      };
      return { output: placed(new TransformerDecoderLayer(options)).call(inputs, masks) };
    }
    const layers = { encoderLayers: Number(config['encoder_layers']), decoderLayers: Number(config['decoder_layers']) };
    const model = placed(new Transformer({ ...options, ...layers }));
    // The padding of this case is on the right, as lengths have it.
    const padding = values['src_key_padding_mask']!;
    const sourceLengths = tf.sum(tf.cast(tf.logicalNot(padding), 'int32'), 1) as tf.Tensor1D;
    const output = model.call({ source, target: values['tgt']! }, { sourceLengths });
    return { output };
  });
}

const names: readonly (readonly [RegExp, string])[] = [
  [/self_attn\.in_proj_/, 'attention.queryKeyValue.'],
  [/self_attn\.out_proj\./, 'attention.output.'],
  [/multihead_attn\.out_proj\./, 'memoryAttention.output.'],
  [/linear1\./, 'feedForward.hidden.'],
  [/linear2\./, 'feedForward.output.'],
];

/** PyTorch's parameters under our names and in our layouts. */
function fromTorch(values: Values): Placement {
  const placed: Placement = {};
  for (const [name, tensor] of Object.entries(values)) {
    if (!/(weight|bias)$/.test(name)) continue;
    const isDecoder = name.startsWith('decoder.') || 'memory' in values;
    const norms = isDecoder ? ['attentionNorm', 'memoryNorm', 'feedForwardNorm'] : ['attentionNorm', 'feedForwardNorm'];
    const cross = name.match(/^(.*)multihead_attn\.in_proj_(weight|bias)$/);
    if (cross) {
      const parts = tf.split(tensor, 3, 0);
      for (const [i, part] of ['query', 'key', 'value'].entries()) {
        placed[`${cross[1]}memoryAttention.${part}.${cross[2]}`] =
          cross[2] === 'weight' ? across(parts[i]!) : parts[i]!;
      }
      continue;
    }
    const renamed = names
      .reduce((path, [pattern, ours]) => path.replace(pattern, ours), name)
      .replace(/norm(\d)\.weight$/, (_, i) => `${norms[i - 1]}.gain`)
      .replace(/norm(\d)\.bias$/, (_, i) => `${norms[i - 1]}.bias`)
      .replace(/(^|\.)norm\.weight$/, '$1finalNorm.gain')
      .replace(/(^|\.)norm\.bias$/, '$1finalNorm.bias');
    placed[renamed] = tensor.rank === 2 ? across(tensor) : tensor;
  }
  return placed;
}

/** A layer of Llama: grouped heads, rotary positions, RMS norm, SwiGLU. */
function runLlama(golden: Golden, config: Config): CaseResult {
  const options: TransformerLayerOptions = {
    ...{ size: Number(config['hidden']), numHeads: Number(config['heads']), numKeyHeads: Number(config['kv_heads']) },
    feedForwardSize: golden.parameters['mlp.gate_proj.weight']!.shape[0]!,
    ...{ activation: silu, gated: true, preNorm: true, bias: false },
    norm: size => new RMSNorm({ size, epsilon: Number(config['eps']) }),
    rotary: { layout: 'halves', base: Number(config['rope_base']) },
  };
  return compareWithGradients(golden, values => {
    const layer = new TransformerEncoderLayer(options);
    const of = (name: string): tf.Tensor => values[`${name}.weight`]!;
    place(layer, {
      'attentionNorm.gain': of('input_layernorm'),
      'attention.queryKeyValue.weight': across(
        tf.concat(
          ['q', 'k', 'v'].map(letter => of(`self_attn.${letter}_proj`)),
          0,
        ),
      ),
      'attention.output.weight': across(of('self_attn.o_proj')),
      'feedForwardNorm.gain': of('post_attention_layernorm'),
      'feedForward.hidden.weight': across(of('mlp.up_proj')),
      'feedForward.gate.weight': across(of('mlp.gate_proj')),
      'feedForward.output.weight': across(of('mlp.down_proj')),
    });
    return { output: layer.call(values['x']!, { causal: true }) };
  });
}
