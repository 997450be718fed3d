import * as tf from '@tensorflow/tfjs-core';
import { checkLastAxis, checkNumber, checkShape } from './check.ts';
import { ShapeError } from './errors.ts';
import { fanInUniform, type Initializer } from './initializers.ts';
import { Module } from './module.ts';
import { type FusedOp, hasKernel, runFused } from './op.ts';
import { Rng } from './rng.ts';

/** Options of `Linear`. */
export interface LinearOptions {
  /** Width of the input's last axis. */
  readonly inputSize: number;
  /** Width of the output's last axis. */
  readonly outputSize: number;
  /** Whether there is a bias. Default true. */
  readonly bias?: boolean | undefined;
  /** Default: uniform within 1/√inputSize, as PyTorch's Linear. */
  readonly weightInitializer?: Initializer | undefined;
  /** Default: uniform within 1/√inputSize. */
  readonly biasInitializer?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`: two layers of one size that are not given theirs start alike. */
  readonly rng?: Rng | undefined;
}

/** y = x W + b, with W `[inputSize, outputSize]` (the transpose of PyTorch's) and b `[outputSize]`. */
export class Linear extends Module {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly weight: tf.Variable;
  readonly bias: tf.Variable | null;

  /** @throws ArgumentError when a size is not a positive integer; ShapeError when an initializer returns another shape */
  constructor({
    inputSize,
    outputSize,
    bias = true,
    weightInitializer = fanInUniform(),
    biasInitializer = fanInUniform(inputSize),
    rng = new Rng(0),
  }: LinearOptions) {
    super();
    checkNumber('Linear', 'inputSize', inputSize, { integer: true, min: 1 });
    checkNumber('Linear', 'outputSize', outputSize, { integer: true, min: 1 });
    this.inputSize = inputSize;
    this.outputSize = outputSize;
    this.weight = initialParameter('Linear.weight', [inputSize, outputSize], shape =>
      weightInitializer(shape, rng.split('weight')),
    );
    try {
      this.bias = bias
        ? initialParameter('Linear.bias', [outputSize], shape => biasInitializer(shape, rng.split('bias')))
        : null;
    } catch (error) {
      this.weight.dispose();
      throw error;
    }
  }

  /**
   * @param input float32 [..., inputSize]
   * @returns float32 [..., outputSize]
   * @throws ShapeError when the last axis of the input is not inputSize
   */
  call(input: tf.Tensor): tf.Tensor {
    return linear(input, this.weight, this.bias);
  }
}

/** Kernel contract of `linear`. */
const linearOp: FusedOp = {
  kernelName: 'OstinatoLinear',
  inputs: ['input', 'weight', 'bias'],
  savedOutputs: [false],
  gradient([dOutput], [input, weight, bias]) {
    const [inputSize, outputSize] = weight!.shape as [number, number];
    const count = tf.util.sizeFromShape(input!.shape.slice(0, -1)); // N
    const dRows = tf.reshape(dOutput!, [count, outputSize]); // [N, outputs]
    const rows = tf.reshape(input!, [count, inputSize]); // [N, inputs]
    return {
      input: () => tf.reshape(tf.matMul(dRows, weight as tf.Tensor2D, false, true), input!.shape),
      weight: () => tf.matMul(rows, dRows, true),
      bias: () => (bias!.size === 0 ? tf.zerosLike(bias!) : tf.sum(dRows, 0)),
    };
  },
};

/**
 * y = x W + b for float32 x [..., inputs], W [inputs, outputs] and b [outputs], as one matrix product.
 *
 * @throws ShapeError when the shapes do not fit
 */
export function linear(input: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | null = null): tf.Tensor {
  checkShape('Linear.call', 'weight', weight, { inputSize: null, outputSize: null }, 'float32');
  const [inputSize, outputSize] = weight.shape as [number, number];
  if (bias) checkShape('Linear.call', 'bias', bias, { outputSize }, 'float32');
  checkLastAxis('Linear.call', 'input', input, 'inputSize', inputSize);
  if (hasKernel(linearOp.kernelName)) return runFused(linearOp, { input, weight, bias: bias ?? undefined }, {})[0]!;
  const product = (rows: tf.Tensor): tf.Tensor =>
    bias ? tf.fused.matMul({ a: rows, b: weight, bias }) : tf.matMul(rows, weight); // [N, inputs] → [N, outputs]
  if (input.rank === 2) return product(input);
  const leading = input.shape.slice(0, -1);
  return tf.tidy(() =>
    tf.reshape(product(tf.reshape(input, [tf.util.sizeFromShape(leading), inputSize])), [...leading, outputSize]),
  );
}

/** A Variable that takes over `initial`, which is disposed. One that is not `trainable` is frozen: it gets no gradient. */
export function variable(initial: tf.Tensor, trainable = true): tf.Variable {
  const created = tf.variable(initial, trainable);
  initial.dispose();
  return created;
}

/**
 * The Variable of a parameter, with what `draw` returns for its shape.
 *
 * @param name of class and field, for the error: `LSTMCell.bias`
 * @throws ShapeError when `draw` does not return a float32 tensor of `shape`, which is disposed
 */
export function initialParameter(
  name: string,
  shape: readonly number[],
  draw: (shape: readonly number[]) => tf.Tensor,
): tf.Variable {
  const initial = draw(shape);
  if (initial.dtype === 'float32' && tf.util.arraysEqual(initial.shape, [...shape])) return variable(initial);
  initial.dispose();
  throw new ShapeError({
    where: name,
    rule: 'the initializer must return the shape that it is given',
    expected: `float32 [${shape.join(', ')}]`,
    got: `${initial.dtype} [${initial.shape.join(', ')}]`,
  });
}
