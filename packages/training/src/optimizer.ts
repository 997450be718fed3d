import { ArgumentError, checkShape, FormatError, type Gradients, type Parameters } from '@ostinato/core';
import { euclideanNorm, stepsInPlace } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import type { Plan } from './plan.ts';
import { addUpdates, computePlan, computeUpdate, disposePlan, makeSteps, type Proposal, planNorm } from './proposal.ts';
import {
  cloneAll,
  disposeTransformState,
  type GradientTransform,
  mapTransformState,
  stateTensorsOf,
  type TransformContext,
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
  /** Changes whenever the state does. */
  #version = 0;

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
    this.#state = keep(transform.init(parameters));
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
   * Proposes the next update without making it. The caller keeps the gradients and may dispose them at once.
   *
   * @throws ArgumentError for a gradient of no parameter; ShapeError when its shape is not the parameter's
   */
  propose(gradients: Gradients): Proposal {
    return this.#propose(gradients, 'cloned');
  }

  /** `borrowed`: the gradients stay until the proposal has ended. */
  #propose(gradients: Gradients, hold: 'cloned' | 'borrowed'): Proposal {
    this.#checkGradients(gradients);
    const { transform, parameters } = this;
    const [state, version] = [this.#state, this.#version];
    const context: TransformContext = { parameters, step: this.#step };
    const trained = new Map([...gradients].filter(([path]) => parameters.get(path)!.trainable));
    // A Variable under two paths gets two updates, both from its old value.
    const canPlan = transform.plan && stepsInPlace() && new Set(parameters.values()).size === parameters.size;
    const clones = canPlan && hold === 'cloned' ? cloneAll(trained) : undefined;
    const held = clones ?? trained;
    const freeClones = (): void => {
      if (clones) tf.dispose([...clones.values()]);
    };
    let plan: Plan<TransformState> | undefined;
    try {
      const steps = new Map([...held].map(([path, gradient]) => [path, { gradient }]));
      if (canPlan) plan = computePlan(() => transform.plan!(steps, state, context));
    } finally {
      if (!plan) freeClones();
    }
    let result = plan ? undefined : computeUpdate(() => transform.update(trained, state, context));

    let ended: 'commit()' | 'discard()' | null = null;
    const checkOpen = (where: string): void => {
      const advice = 'Call propose() again.';
      if (ended) {
        const rule = `a proposal can be ${where === 'commit' ? 'committed once' : 'looked at until it ends'}`;
        throw new ArgumentError({ where: `Proposal.${where}`, rule, got: `a ${where} after ${ended}`, advice });
      }
      if (version !== this.#version) {
        const rule = 'the optimizer must be as it was when the update was proposed';
        throw new ArgumentError({ where: `Proposal.${where}`, rule, got: 'one that has gone on', advice });
      }
    };
    const end = (how: 'commit()' | 'discard()'): void => {
      ended = how;
      if (plan) disposePlan(plan);
      freeClones();
      if (result) tf.dispose([...result.updates.values()]);
    };
    const updates = (): ReadonlyMap<string, tf.Tensor> => {
      checkOpen('updates');
      result ??= computeUpdate(() => transform.update(held, state, context));
      return result.updates;
    };
    return {
      get updates() {
        return result ? result.updates : updates();
      },
      size: plan ? plan.steps.size : result!.updates.size,
      norm: () => {
        checkOpen('norm');
        return result ? euclideanNorm([...result.updates.values()]) : planNorm(parameters, plan!);
      },
      commit: () => {
        checkOpen('commit');
        let next: TransformState;
        if (result) {
          addUpdates(parameters, result.updates);
          disposeTransformState(state);
          next = result.state;
        } else next = makeSteps(parameters, plan!);
        end('commit()');
        this.#goOn(next, this.#step + 1);
      },
      discard: () => {
        if (ended) return;
        if (result) disposeTransformState(result.state);
        end('discard()');
      },
    };
  }

  /** Updates the parameters; nothing changes when it throws. The caller keeps the gradients. Throws as `propose`. */
  apply(gradients: Gradients): void {
    const proposal = this.#propose(gradients, 'borrowed');
    try {
      proposal.commit();
    } finally {
      proposal.discard();
    }
  }

  #checkGradients(gradients: Gradients): void {
    for (const [path, gradient] of gradients) {
      const parameter = this.parameters.get(path);
      if (!parameter) {
        throw new ArgumentError({ where: 'Optimizer', rule: 'every gradient must be of a parameter', got: path });
      }
      const axes = Object.fromEntries(parameter.shape.map((size, i) => [`axis${i}`, size]));
      checkShape('Optimizer', `the gradient of ${path}`, gradient, axes, 'float32');
    }
  }

  #goOn(state: TransformState, step: number): void {
    this.#state = keep(state);
    this.#step = step;
    this.#version++;
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
   * @throws FormatError naming what is missing, unknown, or of another shape or dtype
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
      else if (!isFloat32(tensor)) fail(`${name} must be float32`, { got: tensor.dtype });
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
    this.#goOn(restored, state.step);
  }

  /** Frees the state, not the parameters. */
  dispose(): void {
    disposeTransformState(this.#state);
  }
}

/** A state that outlives the tidy in which it was made. */
function keep(state: TransformState): TransformState {
  for (const tensor of stateTensorsOf(state)) tf.keep(tensor);
  return state;
}

/** A tensor, here or in a file, of which only the form is looked at. */
export interface TensorForm {
  readonly shape: readonly number[];
  /** As TensorFlow.js names it, or safetensors. */
  readonly dtype: string;
}

/** Whether a tensor is float32, by either name. */
export function isFloat32({ dtype }: TensorForm): boolean {
  return dtype === 'float32' || dtype === 'F32';
}

/** An optimizer's state of which only the form is looked at. */
export interface OptimizerStateShape {
  readonly step: number;
  readonly tensors: ReadonlyMap<string, TensorForm>;
  readonly numbers: Readonly<Record<string, number>>;
}
