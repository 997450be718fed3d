import {
  atPath,
  type CallOptions,
  checkChoice,
  checkNumber,
  Dropout,
  type Initializer,
  Linear,
  Module,
  Rng,
} from '@ostinato/core';
import { type ActivationName, activationsByName } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';

/**
 * `'relu'`, `'gelu'`, `'gelu-tanh'` (its approximation with tanh), `'silu'`, or any function that works element by element. Layers with
 * a function generate slower: no kernel can have it built in.
 */
export type Activation = ActivationName | ((input: tf.Tensor) => tf.Tensor);

const activationNames = Object.keys(activationsByName) as ActivationName[];

/** Options of `FeedForward`. */
export interface FeedForwardOptions {
  /** D, width of input and output. */
  readonly size: number;
  /** F. Default 4 · size. PyTorch: `dim_feedforward`, 2048. */
  readonly hiddenSize?: number | undefined;
  /** Default `'relu'`. */
  readonly activation?: Activation | undefined;
  /** Whether a second projection is multiplied with the activated one: SwiGLU with `silu`, GEGLU with `gelu`. Default false. */
  readonly gated?: boolean | undefined;
  /** Default true. */
  readonly bias?: boolean | undefined;
  /** Rate of dropout behind the activation, in training. Default 0. */
  readonly dropout?: number | undefined;
  /** Of the first projections. Default: uniform within 1/√fan-in, as PyTorch. */
  readonly weightInitializer?: Initializer | undefined;
  /** Of the output projection. Default: uniform within 1/√fan-in. */
  readonly outputInitializer?: Initializer | undefined;
  /** Default: uniform within 1/√fan-in. */
  readonly biasInitializer?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/**
 * The two layers behind attention, at every position alike: y = φ(x W₁ + b₁) W₂ + b₂; gated: y = (φ(x G) ∘ (x W₁)) W₂.
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.3; gated: Shazeer 2020, arXiv:2002.05202.
 */
export class FeedForward extends Module {
  readonly hidden: Linear;
  readonly gate: Linear | null;
  readonly output: Linear;
  readonly activation: Activation;
  readonly dropout: Dropout;

  /** @throws ArgumentError when a size is not a positive integer, or dropout not in [0, 1) */
  constructor({
    size,
    hiddenSize = 4 * size,
    activation = 'relu',
    gated = false,
    bias = true,
    dropout = 0,
    weightInitializer,
    outputInitializer,
    biasInitializer,
    rng = new Rng(0),
  }: FeedForwardOptions) {
    super();
    checkNumber('FeedForward', 'size', size, { integer: true, min: 1 });
    checkNumber('FeedForward', 'hiddenSize', hiddenSize, { integer: true, min: 1 });
    const inner = { inputSize: size, outputSize: hiddenSize, bias, weightInitializer, biasInitializer };
    this.hidden = new Linear({ ...inner, rng: rng.split('hidden') });
    this.gate = gated ? new Linear({ ...inner, rng: rng.split('gate') }) : null;
    this.output = new Linear({
      ...{ inputSize: hiddenSize, outputSize: size, bias, weightInitializer: outputInitializer, biasInitializer },
      rng: rng.split('output'),
    });
    if (typeof activation !== 'function') checkChoice('FeedForward', 'activation', activation, activationNames);
    this.activation = activation;
    this.dropout = new Dropout({ rate: dropout });
  }

  /**
   * @param input float32 [..., size]
   * @returns float32 [..., size]
   * @throws ShapeError when the last axis is not `size`; ArgumentError when training with dropout lacks an rng
   */
  call(input: tf.Tensor, options: CallOptions = {}): tf.Tensor {
    const activate = typeof this.activation === 'function' ? this.activation : activationsByName[this.activation];
    return tf.tidy(() => {
      const hidden = atPath('hidden', () => this.hidden.call(input)); // [..., F]
      const active = this.gate ? tf.mul(activate(this.gate.call(input)), hidden) : activate(hidden);
      const drops = options.training && this.dropout.rate > 0;
      return this.output.call(drops ? atPath('dropout', () => this.dropout.call(active, options)) : active);
    });
  }
}
