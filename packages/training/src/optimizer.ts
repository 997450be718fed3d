import { ArgumentError, checkShape, FormatError, type Gradients, type Parameters } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import {
  disposeTransformState,
  type GradientTransform,
  mapTransformState,
  type TransformState,
  visitState,
} from './transform.ts';

/** An optimizer's state, flat: what a checkpoint stores. */
export interface OptimizerState {
  /** How many gradients were applied. */
  readonly step: number;
  /** By `slot/parameter path`, e.g. `1/slots/firstMoment/layers.0.weight`. */
  readonly tensors: ReadonlyMap<string, tf.Tensor>;
  readonly numbers: Readonly<Record<string, number>>;
}

/**
 * An update that is computed and not yet made. `commit` takes its tensors over, once, and throws ArgumentError when they are
 * gone; `discard` disposes them, and does nothing when there is nothing left to dispose.
 */
export interface Proposal {
  /** What would be added to each parameter. */
  readonly updates: ReadonlyMap<string, tf.Tensor>;
  commit(): void;
  discard(): void;
}

/**
 * Holds what a pure transform leaves open: the parameters, the state between steps, and who disposes it.
 *
 * What the transform returns is added to the parameters as it is. A transform that only filters (`clipByGlobalNorm`, `freeze`,
 * `masked` where it does not act) passes gradients on, and adding those climbs: end a chain with an optimizer for every parameter.
 */
export class Optimizer {
  readonly transform: GradientTransform;
  readonly parameters: Parameters;
  #state: TransformState;
  #step = 0;

  /**
   * Trains exactly `parameters`, but for those that are frozen at the time of a step (`variable.trainable` is false): they get no
   * update, not even weight decay. The state begins as `transform.init` makes it.
   *
   * @throws ArgumentError when the arguments are no transform and no Map of parameters
   */
  constructor(transform: GradientTransform, parameters: Parameters) {
    const advice = 'Write `new Optimizer(adam({ learningRate }), parameters(model))`.';
    if (typeof transform?.init !== 'function' || typeof transform.update !== 'function') {
      const rule = 'the first argument must be a gradient transform';
      throw new ArgumentError({ where: 'Optimizer', rule, got: typeof transform, advice });
    }
    if (!(parameters instanceof Map)) {
      const rule = 'the second argument must be a Map of parameters';
      throw new ArgumentError({ where: 'Optimizer', rule, got: typeof parameters, advice });
    }
    this.transform = transform;
    this.parameters = parameters;
    this.#state = transform.init(parameters);
  }

  /** How many gradients were applied. */
  get step(): number {
    return this.#step;
  }

  /** The learning rate of the next step; undefined when the transform has none. */
  get learningRate(): number | undefined {
    return this.transform.learningRate?.(this.#step);
  }

  /**
   * Computes the next update without making it. The caller keeps the gradients and may dispose them at once.
   *
   * @throws ArgumentError for a gradient of no parameter; ShapeError when its shape is not the parameter's
   */
  propose(gradients: Gradients): Proposal {
    for (const [path, gradient] of gradients) {
      const parameter = this.parameters.get(path);
      if (!parameter) {
        throw new ArgumentError({ where: 'Optimizer', rule: 'every gradient must be of a parameter', got: path });
      }
      const axes = Object.fromEntries(parameter.shape.map((size, i) => [`axis${i}`, size]));
      checkShape('Optimizer', `the gradient of ${path}`, gradient, axes, 'float32');
    }
    const trained = new Map([...gradients].filter(([path]) => this.parameters.get(path)!.trainable));
    const { updates, state } = this.transform.update(trained, this.#state, {
      parameters: this.parameters,
      step: this.#step,
    });
    let ended: 'commit()' | 'discard()' | null = null;
    return {
      updates,
      commit: () => {
        if (ended) {
          throw new ArgumentError({
            where: 'Proposal.commit',
            rule: 'a proposal can be committed once',
            got: `a commit after ${ended}`,
            advice: 'Call propose() again.',
          });
        }
        ended = 'commit()';
        for (const [path, update] of updates) {
          const parameter = this.parameters.get(path)!;
          const value = tf.add(parameter, update);
          parameter.assign(value);
          tf.dispose([value, update]);
        }
        disposeTransformState(this.#state);
        this.#state = state;
        this.#step++;
      },
      discard: () => {
        if (ended) return;
        ended = 'discard()';
        tf.dispose([...updates.values()]);
        disposeTransformState(state);
      },
    };
  }

  /** Updates the parameters. The caller keeps the gradients. Throws as `propose`. */
  apply(gradients: Gradients): void {
    this.propose(gradients).commit();
  }

  /** The state now. The tensors stay the optimizer's: read or clone them before the next step. */
  state(): OptimizerState {
    const tensors = new Map<string, tf.Tensor>();
    const numbers: Record<string, number> = {};
    visitState(this.#state, (leaf, slot) => {
      for (const [path, value] of leaf) {
        if (typeof value === 'number') numbers[`${slot}/${path}`] = value;
        else tensors.set(`${slot}/${path}`, value);
      }
    });
    return { step: this.#step, tensors, numbers };
  }

  /**
   * Checks that a state fits this transform and these parameters, without changing anything.
   *
   * @throws FormatError naming what is missing, unknown or of another shape
   */
  check({ step, tensors, numbers }: OptimizerStateShape): void {
    const fail = (rule: string, facts: { expected?: string; got?: string } = {}): never => {
      throw new FormatError({ where: 'Optimizer.restore', rule, ...facts });
    };
    if (!Number.isSafeInteger(step) || step < 0) fail('step must be a non-negative integer', { got: String(step) });
    const present = this.state();
    for (const [name, { shape }] of present.tensors) {
      const tensor = tensors.get(name);
      if (!tensor) fail(`the state must have ${name}`);
      else if (!tf.util.arraysEqual([...tensor.shape], shape)) {
        fail(`${name} must have the shape of its parameter`, { expected: `[${shape}]`, got: `[${tensor.shape}]` });
      }
    }
    for (const name of Object.keys(present.numbers)) {
      const value = numbers[name];
      if (!Number.isFinite(value)) fail(`the state must have the number ${name}`, { got: String(value) });
    }
    const known = (name: string): boolean => present.tensors.has(name) || name in present.numbers;
    const unknown = [...tensors.keys(), ...Object.keys(numbers)].find(name => !known(name));
    if (unknown !== undefined) fail('the state must be of this optimizer', { got: `the unknown ${unknown}` });
  }

  /** Goes on from `state`, of which it takes clones. Throws as `check`, before anything changes. */
  restore(state: OptimizerState): void {
    this.check(state);
    const restored = mapTransformState(
      this.#state,
      (leaf, slot) =>
        new Map(
          [...leaf].map(([path, value]) => {
            const name = `${slot}/${path}`;
            return [path, typeof value === 'number' ? state.numbers[name]! : tf.clone(state.tensors.get(name)!)];
          }),
        ) as ReadonlyMap<string, tf.Tensor>,
    );
    disposeTransformState(this.#state);
    this.#state = restored;
    this.#step = state.step;
  }

  /** Frees the state, not the parameters. */
  dispose(): void {
    disposeTransformState(this.#state);
  }
}

/** An optimizer's state of which only the shapes are looked at. */
export interface OptimizerStateShape {
  readonly step: number;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  readonly numbers: Readonly<Record<string, number>>;
}
