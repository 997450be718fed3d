import { Module, parameters as parametersOf } from '@ostinato/core';
import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  amsgrad,
  chain,
  clipByGlobalNorm,
  clipByValue,
  type GradientTransform,
  globalNorm,
  lion,
  type NormOrder,
  nadam,
  Optimizer,
  radam,
  rmsprop,
  sgd,
  WeightAverage,
  weightDecay,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, type Comparison, type Golden, numbers, tensor } from '../golden.ts';

type Config = Record<string, number> & {
  betas?: [number, number];
  amsgrad?: boolean;
  nesterov?: boolean;
  centered?: boolean;
};

function pytorchOptimizer(name: string, config: Config): GradientTransform | undefined {
  const learningRate = config['lr']!;
  const [beta1, beta2] = config.betas ?? [];
  const adamOptions = { learningRate, beta1: beta1!, beta2: beta2!, epsilon: config['eps']! };
  const decay = config['weight_decay'] ?? 0;
  if (name === 'adam_amsgrad') return amsgrad(adamOptions);
  if (name.startsWith('adamax')) return adamax(adamOptions);
  if (name.startsWith('adamw')) return adamw({ ...adamOptions, weightDecay: decay });
  if (name.startsWith('adam')) {
    // PyTorch's weight_decay is L2 regularisation except in AdamW and Lion.
    if (name !== 'adadelta') return decay > 0 ? chain(weightDecay(decay), adam(adamOptions)) : adam(adamOptions);
  }
  if (name === 'adadelta') return adadelta({ learningRate, decay: config['rho']!, epsilon: config['eps']! });
  if (name.startsWith('adagrad')) {
    return adagrad({
      learningRate: step => learningRate / (1 + step * config['lr_decay']!),
      epsilon: config['eps']!,
      initialAccumulator: config['initial_accumulator_value']!,
    });
  }
  if (name.startsWith('lion')) {
    return lion({ learningRate, weightDecay: decay, ...(beta1 && beta2 ? { beta1, beta2 } : {}) });
  }
  if (name === 'nadam') return nadam({ ...adamOptions, momentumDecay: config['momentum_decay']! });
  if (name === 'radam') return radam(adamOptions);
  if (name.startsWith('rmsprop')) {
    const { alpha, eps, momentum, centered } = config;
    return rmsprop({ learningRate, decay: alpha!, epsilon: eps!, momentum: momentum!, centered: centered! });
  }
  if (name.startsWith('sgd')) {
    const { momentum, dampening, nesterov } = config;
    const descent = sgd({ learningRate, momentum: momentum!, dampening: dampening!, nesterov: nesterov! });
    return decay > 0 ? chain(weightDecay(decay), descent) : descent;
  }
  return undefined;
}

function kerasOptimizer(name: string, config: Config): GradientTransform | undefined {
  const learningRate = config['learning_rate']!;
  const { beta_1: beta1, beta_2: beta2, epsilon, momentum, rho } = config;
  const adamOptions = { learningRate, beta1: beta1!, beta2: beta2!, epsilon: epsilon!, epsilonBeforeCorrection: true };
  if (name === 'optimizer_adam') return adam(adamOptions);
  if (name === 'optimizer_adam_clipnorm') return chain(clipByGlobalNorm(config['global_clipnorm']!), adam(adamOptions));
  if (name === 'optimizer_adamw') return adamw({ ...adamOptions, weightDecay: config['weight_decay']! });
  if (name === 'optimizer_adagrad') {
    const initialAccumulator = config['initial_accumulator_value']!;
    return adagrad({ learningRate, epsilon: epsilon!, epsilonInside: true, initialAccumulator });
  }
  if (name === 'optimizer_lion') return lion({ learningRate, beta1: beta1!, beta2: beta2! });
  if (name === 'optimizer_rmsprop')
    return rmsprop({ learningRate, decay: rho!, epsilon: epsilon!, epsilonInside: true });
  if (name === 'optimizer_sgd_nesterov') return sgd({ learningRate, momentum: momentum!, nesterov: true });
  return undefined;
}

/** A model of nothing but named Variables. */
class Variables extends Module {
  constructor(values: Record<string, tf.Tensor>) {
    super();
    for (const [name, value] of Object.entries(values)) Object.assign(this, { [name]: tf.variable(value) });
  }
}

/** Row `index` of [steps, ...]. */
function row(source: tf.Tensor, index: number): tf.Tensor {
  return tf.squeeze(tf.slice(source, index, 1), [0]);
}

/** Trains from `start` for `steps` steps; `gradient` gives each step's. Returns every value after every step. */
function trajectory(
  transform: GradientTransform,
  start: Record<string, tf.Tensor>,
  steps: number,
  gradient: (step: number, values: ReadonlyMap<string, tf.Variable>) => Record<string, tf.Tensor>,
): Record<string, number[]> {
  const model = new Variables(start);
  const parameters = parametersOf(model);
  const optimizer = new Optimizer(transform, parameters);
  const values: Record<string, number[]> = Object.fromEntries([...parameters.keys()].map(name => [name, []]));
  for (let step = 0; step < steps; step++) {
    const gradients = gradient(step, parameters);
    optimizer.apply(new Map(Object.entries(gradients)));
    for (const [name, variable] of parameters) values[name]!.push(...variable.dataSync());
  }
  optimizer.dispose();
  model.dispose();
  return values;
}

function runOptimizer(transform: GradientTransform, golden: Golden): CaseResult {
  const { Q, b, x0, w0, w_gradients } = golden.inputs;
  const [matrix, vector] = [tensor(Q!) as tf.Tensor2D, tensor(b!)];
  const given = tensor(w_gradients!);
  const losses: number[] = [];
  const values = trajectory(transform, { x: tensor(x0!), w: tensor(w0!) }, given.shape[0]!, (step, parameters) => {
    const x = parameters.get('x')!;
    const product = tf.squeeze(tf.matMul(matrix, tf.expandDims(x, 1) as tf.Tensor2D), [1]);
    losses.push(tf.sum(tf.mul(x, tf.sub(tf.mul(product, 0.5), vector))).dataSync()[0]!);
    return { x: tf.sub(product, vector), w: row(given, step) };
  });
  return { differences: compare(golden, { ...values, quadratic_loss: losses }) };
}

function compare(golden: Golden, values: Record<string, ArrayLike<number>>): Comparison[] {
  return Object.entries(values).map(([name, got]) => ({ name, got, want: numbers(golden.outputs[name]!) }));
}

function runClip(golden: Golden, name: string): CaseResult {
  const config = golden.config as unknown as { max_norm: number; norm_type: number | 'inf'; clip_value: number };
  const gradients = new Map(Object.entries(golden.inputs).map(([path, source]) => [path, tensor(source)]));
  const norm = (config.norm_type === 'inf' ? Infinity : config.norm_type) as NormOrder;
  const isNorm = name.startsWith('clip_norm');
  const clip = isNorm ? clipByGlobalNorm(config.max_norm, { norm }) : clipByValue(config.clip_value);
  const { updates } = clip.update(gradients, {}, { parameters: new Map(), step: 0 });
  const values = Object.fromEntries([...updates].map(([path, update]) => [path, update.dataSync()]));
  const total = isNorm ? { total_norm: globalNorm(gradients, { norm }).dataSync() } : {};
  return { differences: compare(golden, { ...values, ...total }) };
}

function runAverage(golden: Golden): CaseResult {
  const x = tensor(golden.inputs['x']!);
  const model = new Variables({ x: row(x, 0) });
  const parameters = parametersOf(model);
  const average = new WeightAverage(parameters, { decay: (golden.config as unknown as { decay: number }).decay });
  const values: number[] = [];
  for (let step = 1; step < x.shape[0]!; step++) {
    parameters.get('x')!.assign(row(x, step));
    average.update();
    values.push(...average.state().get('x')!.dataSync());
  }
  average.dispose();
  model.dispose();
  return { differences: compare(golden, { ema: values }) };
}

/** Cases of the folder `optim`, and `keras/optimizer_*`. */
export function runOptimCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  const config = golden.config as unknown as Config;
  tf.engine().startScope();
  try {
    if (name === 'ema') return runAverage(golden);
    if (name.startsWith('clip')) return runClip(golden, name);
    if (name.startsWith('optimizer_')) {
      const transform = kerasOptimizer(name, config);
      if (!transform) return { skipped: name };
      const gradients = tensor(golden.inputs['gradients']!);
      const values = trajectory(transform, { x: tensor(golden.inputs['x0']!) }, gradients.shape[0]!, step => ({
        x: row(gradients, step),
      }));
      return { differences: compare(golden, { trajectory: values['x']! }) };
    }
    const transform = pytorchOptimizer(name, config);
    return transform ? runOptimizer(transform, golden) : { skipped: name };
  } finally {
    tf.engine().endScope();
  }
}
