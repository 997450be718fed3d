import { checkNumber, FormatError, type Parameters } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { isFloat32, type TensorForm } from './optimizer.ts';

/**
 * Exponential moving average of parameters: a ← d·a + (1−d)·θ, starting at θ. Evaluating with a instead of θ often gives the
 * better model, as if the learning rate had fallen.
 *
 * Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging"; in this form Tarvainen and Valpola
 * 2017, arXiv:1703.01780, section 2.
 */
export class WeightAverage {
  readonly decay: number;
  readonly parameters: Parameters;
  readonly #averages: Map<string, tf.Tensor>;

  /** Starts at the present values of `parameters`. Throws ArgumentError when decay is outside [0, 1). */
  constructor(parameters: Parameters, { decay = 0.999 }: { readonly decay?: number | undefined } = {}) {
    checkNumber('WeightAverage', 'decay', decay, { min: 0, below: 1 });
    this.decay = decay;
    this.parameters = parameters;
    this.#averages = new Map([...parameters].map(([path, parameter]) => [path, tf.clone(parameter)]));
  }

  /** Takes the present values in. Call it after each update of the parameters. */
  update(): void {
    for (const [path, parameter] of this.parameters) {
      const old = this.#averages.get(path)!;
      this.#averages.set(
        path,
        tf.tidy(() => tf.add(tf.mul(old, this.decay), tf.mul(parameter, 1 - this.decay))),
      );
      old.dispose();
    }
  }

  /** The averages. They stay this object's: read or clone them before the next update. */
  state(): ReadonlyMap<string, tf.Tensor> {
    return this.#averages;
  }

  /**
   * Checks that averages fit, without changing anything.
   *
   * @throws FormatError when one is missing, unknown, or of another shape or dtype
   */
  check(averages: ReadonlyMap<string, TensorForm>): void {
    const where = 'WeightAverage.restore';
    for (const [path, { shape }] of this.parameters) {
      const average = averages.get(path);
      if (average && !isFloat32(average)) {
        throw new FormatError({ where, rule: `${path} must be float32`, got: average.dtype });
      }
      if (average && tf.util.arraysEqual([...average.shape], shape)) continue;
      throw new FormatError({
        where,
        rule: `${path} must have the shape of its parameter`,
        expected: `[${shape}]`,
        got: average ? `[${average.shape}]` : 'nothing',
      });
    }
    const unknown = [...averages.keys()].find(path => !this.parameters.has(path));
    if (unknown !== undefined) {
      throw new FormatError({ where, rule: 'every average must be of a parameter', got: unknown });
    }
  }

  /** Goes on from averages that `state()` gave, of which it takes clones. Throws as `check`, before anything changes. */
  restore(averages: ReadonlyMap<string, tf.Tensor>): void {
    this.check(averages);
    for (const path of this.parameters.keys()) {
      const average = tf.clone(averages.get(path)!);
      this.#averages.get(path)!.dispose();
      this.#averages.set(path, average);
    }
  }

  /** Runs `body` while the parameters have their average values, then gives them back their own, even when it throws. */
  async withAverages<Result>(body: () => Result | Promise<Result>): Promise<Result> {
    const own = new Map([...this.parameters].map(([path, parameter]) => [path, tf.clone(parameter)]));
    try {
      for (const [path, parameter] of this.parameters) parameter.assign(this.#averages.get(path)!);
      return await body();
    } finally {
      for (const [path, parameter] of this.parameters) parameter.assign(own.get(path)!);
      tf.dispose([...own.values()]);
    }
  }

  /** Frees the averages. */
  dispose(): void {
    tf.dispose([...this.#averages.values()]);
  }
}
