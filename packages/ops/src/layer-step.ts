import { checkChoice, checkNumber, checkShape, hasKernel, layerNorm, linear, rmsNorm, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionCache, type CachedAttentionResult, cachedAttention } from './cached-attention.ts';
import { checkIndices } from './check.ts';
import { gelu } from './gelu.ts';
import { silu } from './silu.ts';

/** Weight [in, out] and bias [out] of a linear layer, both float32. */
export interface LinearWeights {
  readonly weight: tf.Tensor;
  readonly bias?: tf.Tensor | null | undefined;
}

/** Gain and bias of a norm, both float32 [D]. */
export interface NormWeights {
  /** γ; ones when absent. */
  readonly gain?: tf.Tensor | null | undefined;
  /** β; zeros when absent. Not with `rms`. */
  readonly bias?: tf.Tensor | null | undefined;
  /** Default 1e-5. */
  readonly epsilon?: number | undefined;
}

/** Activations by name: `'gelu-tanh'` is GELU's approximation with tanh. */
export type ActivationName = 'relu' | 'gelu' | 'gelu-tanh' | 'silu';

/** What the names of `ActivationName` stand for. */
export const activationsByName: Readonly<Record<ActivationName, (input: tf.Tensor) => tf.Tensor>> = {
  relu: input => tf.relu(input),
  gelu: input => gelu(input),
  'gelu-tanh': input => gelu(input, { approximate: 'tanh' }),
  silu: input => silu(input),
};

/** Arguments of `transformerLayerStep`: D size, K width of a head, F width of the feed-forward part. */
export interface TransformerLayerStepArguments {
  /** float32 [B, D] */
  readonly input: tf.Tensor;
  readonly cache: AttentionCache;
  /** How many steps each row has in the cache, int32 [B]. */
  readonly lengths: tf.Tensor;
  readonly attentionNorm: NormWeights;
  /** [D, (Hq + 2 Hk) K], as in `packedAttention`. */
  readonly queryKeyValue: LinearWeights;
  /** [Hq K, D] */
  readonly attentionOutput: LinearWeights;
  readonly feedForwardNorm: NormWeights;
  /** [D, F] */
  readonly hidden: LinearWeights;
  /** [D, F]; absent: not gated. */
  readonly gate?: LinearWeights | null | undefined;
  /** [F, D] */
  readonly output: LinearWeights;
}

/** Options of `transformerLayerStep`. */
export interface TransformerLayerStepOptions {
  readonly numHeads: number;
  /** Default: numHeads. */
  readonly numKeyHeads?: number | undefined;
  /** What the products q·k are multiplied with. Default 1/√K. */
  readonly scale?: number | undefined;
  /** Default false: norms behind the residuals. */
  readonly preNorm?: boolean | undefined;
  /** RMS norms in place of layer norms. Default false. */
  readonly rms?: boolean | undefined;
  /** Default `'relu'`. */
  readonly activation?: ActivationName | undefined;
}

const where = 'transformerLayerStep';

function checkLinear(name: string, { weight, bias }: LinearWeights, inputSize: number, outputSize: number): void {
  checkShape(where, `${name}.weight`, weight, { inputSize, outputSize }, 'float32');
  if (bias) checkShape(where, `${name}.bias`, bias, { outputSize }, 'float32');
}

function checkNorm(name: string, { gain, bias, epsilon }: NormWeights, size: number): void {
  if (gain) checkShape(where, `${name}.gain`, gain, { size }, 'float32');
  if (bias) checkShape(where, `${name}.bias`, bias, { size }, 'float32');
  if (epsilon !== undefined) checkNumber(where, `${name}.epsilon`, epsilon, { min: 0 });
}

/**
 * One step of one transformer layer behind a cache, all of it in one kernel where the engine has one: for generation, where a
 * step is so little work that calling kernels takes most of the time.
 *
 *     post-norm: y = norm(x + A(x)); output = norm(y + F(y))
 *     pre-norm:  y = x + A(norm(x)); output = y + F(norm(y))
 *     A(x) = cachedAttention(x W + b) W + b      F(x) = φ(x W₁ + b₁) W₂ + b₂, gated: (φ(x G + g) ∘ (x W₁ + b₁)) W₂ + b₂
 *
 * The cache is treated as `cachedAttention` does. Not differentiable.
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.1; Shazeer 2019, arXiv:1911.02150, section 2.4 (incremental attention).
 *
 * @returns output float32 [B, D], and the cache with this step
 * @throws ShapeError when shapes or dtypes do not fit; ArgumentError when an option is out of range, or a row's cache is full
 */
export function transformerLayerStep(
  arguments_: TransformerLayerStepArguments,
  options: TransformerLayerStepOptions,
): CachedAttentionResult {
  const { input, cache, lengths, attentionNorm, queryKeyValue, attentionOutput, feedForwardNorm } = arguments_;
  const { hidden, gate, output } = arguments_;
  const { numHeads, numKeyHeads = numHeads, preNorm = false, rms = false, activation = 'relu' } = options;
  checkShape(where, 'input', input, { batch: null, size: null }, 'float32');
  const [batch, size] = input.shape as [number, number];
  checkNumber(where, 'numHeads', numHeads, { integer: true, min: 1 });
  checkNumber(where, 'numKeyHeads', numKeyHeads, { integer: true, min: 1, max: numHeads });
  checkChoice(where, 'activation', activation, ['relu', 'gelu', 'gelu-tanh', 'silu']);
  checkShape(where, 'cache.key', cache.key, { batch, numKeyHeads, maximumTime: null, width: null }, 'float32');
  const [, , maximumTime, width] = cache.key.shape as [number, number, number, number];
  checkShape(where, 'cache.value', cache.value, { batch, numKeyHeads, maximumTime, width }, 'float32');
  checkShape(where, 'lengths', lengths, { batch }, 'int32');
  checkLinear('queryKeyValue', queryKeyValue, size, (numHeads + 2 * numKeyHeads) * width);
  checkLinear('attentionOutput', attentionOutput, numHeads * width, size);
  const feedForwardSize = hidden.weight.shape[1]!;
  checkLinear('hidden', hidden, size, feedForwardSize);
  if (gate) checkLinear('gate', gate, size, feedForwardSize);
  checkLinear('output', output, feedForwardSize, size);
  checkNorm('attentionNorm', attentionNorm, size);
  checkNorm('feedForwardNorm', feedForwardNorm, size);
  checkIndices(where, 'lengths', lengths, { size: maximumTime });
  const attributes = {
    ...{ numHeads, numKeyHeads, scale: options.scale ?? 1 / Math.sqrt(width), preNorm, rms, activation },
    attentionEpsilon: attentionNorm.epsilon ?? 1e-5,
    feedForwardEpsilon: feedForwardNorm.epsilon ?? 1e-5,
  };
  // A row's query heads come in groups, one for each key head.
  if (numHeads % numKeyHeads !== 0 || !hasKernel('OstinatoTransformerLayerStep')) {
    return reference(arguments_, attributes);
  }
  const inputs: Record<string, tf.Tensor> = { input, keyCache: cache.key, valueCache: cache.value, lengths };
  const put = (name: string, tensor: tf.Tensor | null | undefined): void => {
    if (tensor) inputs[name] = tensor;
  };
  put('attentionGain', attentionNorm.gain);
  put('attentionBias', attentionNorm.bias);
  put('feedForwardGain', feedForwardNorm.gain);
  put('feedForwardBias', feedForwardNorm.bias);
  for (const [name, layer] of Object.entries({ queryKeyValue, attentionOutput, hidden, gate, output })) {
    put(`${name}Weight`, layer?.weight);
    put(`${name}Bias`, layer?.bias);
  }
  const [result, key, value] = runKernel('OstinatoTransformerLayerStep', inputs, attributes);
  return { output: result!, cache: { key: key!, value: value! } };
}

/** The equations, on other ops. */
function reference(
  { input, cache, lengths, ...layer }: TransformerLayerStepArguments,
  options: {
    readonly numHeads: number;
    readonly numKeyHeads: number;
    readonly scale: number;
    readonly preNorm: boolean;
    readonly rms: boolean;
    readonly activation: ActivationName;
  },
): CachedAttentionResult {
  const { preNorm, rms, activation, ...heads } = options;
  const norm = (x: tf.Tensor, { gain, bias, epsilon }: NormWeights): tf.Tensor => {
    const given = { input: x, gain: gain ?? undefined };
    return rms ? rmsNorm(given, { epsilon }) : layerNorm({ ...given, bias: bias ?? undefined }, { epsilon });
  };
  const project = (x: tf.Tensor, { weight, bias }: LinearWeights): tf.Tensor => linear(x, weight, bias ?? null);
  return tidy(() => {
    const packed = project(preNorm ? norm(input, layer.attentionNorm) : input, layer.queryKeyValue);
    const attended = cachedAttention({ packed, cache, lengths }, heads);
    const sum = tf.add(input, project(attended.output, layer.attentionOutput));
    const y = preNorm ? sum : norm(sum, layer.attentionNorm);
    const x = preNorm ? norm(y, layer.feedForwardNorm) : y;
    const active = activationsByName[activation](project(x, layer.gate ?? layer.hidden));
    const hidden = layer.gate ? tf.mul(active, project(x, layer.hidden)) : active;
    const last = tf.add(y, project(hidden, layer.output));
    return { output: preNorm ? last : norm(last, layer.feedForwardNorm), cache: attended.cache };
  });
}

// The types of tf.tidy leave out results of readonly fields.
const tidy = tf.tidy as <Result>(run: () => Result) => Result;
