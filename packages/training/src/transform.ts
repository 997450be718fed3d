import { type Gradients, type Parameters, select } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Plan, type PlannedStep, planEach } from './plan.ts';

/**
 * Gradient transforms, after optax (https://github.com/google-deepmind/optax): an optimizer is a chain of pure functions
 * from gradients to updates, and an update is what is added to a parameter.
 */

/** State of a transform: tensors and numbers by parameter path, nested in arrays and plain objects. */
export type TransformState =
  | ReadonlyMap<string, tf.Tensor>
  | ReadonlyMap<string, number>
  | readonly TransformState[]
  | { readonly [name: string]: TransformState };

/** What a transform may look at besides the gradients. */
export interface TransformContext {
  readonly parameters: Parameters;
  /** How many updates came before this one. */
  readonly step: number;
}

/** What a transform's `update` returns. Every tensor in it is fresh: none is one of the gradients or of the old state. */
export interface TransformResult<S extends TransformState> {
  /** By path. A parameter without an entry stays as it is. */
  readonly updates: Map<string, tf.Tensor>;
  readonly state: S;
}

/**
 * One link of an optimizer.
 *
 * `update` is pure: it disposes nothing it is given, and all it returns is new. So whoever holds the old state may keep it
 * (when a step is refused) or dispose it (when the new one takes its place); `Optimizer` does that. A parameter without a
 * gradient has no update, and its state stays as it was.
 */
export interface GradientTransform<S extends TransformState = TransformState> {
  init(parameters: Parameters): S;
  update(gradients: Gradients, state: S, context: TransformContext): TransformResult<S>;
  /**
   * The same as `update` in the form of steps that are made in one pass over memory: what `optimizerStep` of @ostinato/ops makes, equal
   * to within rounding. `undefined` where these steps cannot take the change of this transform; then `update` is called. Absent in
   * transforms that have no such form. Pure as `update` is; a tensor that it makes belongs to the steps.
   */
  plan?(steps: ReadonlyMap<string, PlannedStep>, state: S, context: TransformContext): Plan<S> | undefined;
  /** The learning rate at a step, for logs; absent in a transform without one. */
  readonly learningRate?: ((step: number) => number) | undefined;
}

/** Whether a transform acts on a parameter. */
export type PathPredicate = (path: string) => boolean;

/** The state of a transform that remembers nothing. */
export type Stateless = Record<never, never>;

/** A transform without state, from a function of one gradient, and the same for a planned step if there is such a form. */
export function stateless(
  update: (gradient: tf.Tensor, path: string, context: TransformContext) => tf.Tensor,
  plan?: (step: PlannedStep, path: string, context: TransformContext) => PlannedStep | undefined,
): GradientTransform<Stateless> {
  return {
    ...(plan && {
      plan: (steps, _, context) => {
        const planned = planEach(steps, (step, path) => plan(step, path, context));
        return planned && { steps: planned, state: {} };
      },
    }),
    init: () => ({}),
    update: (gradients, _, context) => ({
      updates: new Map(
        [...gradients].map(([path, gradient]) => [path, tf.tidy(() => update(gradient, path, context))]),
      ),
      state: {},
    }),
  };
}

/** Calls `visit` for every Map of a state, with its path in the tree. */
export function visitState(
  state: TransformState,
  visit: (leaf: ReadonlyMap<string, tf.Tensor> | ReadonlyMap<string, number>, path: string) => void,
  path = '',
): void {
  if (state instanceof Map) visit(state as ReadonlyMap<string, tf.Tensor>, path);
  else for (const [key, child] of Object.entries(state)) visitState(child, visit, path === '' ? key : `${path}/${key}`);
}

/** Every tensor of a state. */
export function stateTensorsOf(state: TransformState): tf.Tensor[] {
  const tensors: tf.Tensor[] = [];
  visitState(state, leaf => {
    for (const value of leaf.values()) if (typeof value !== 'number') tensors.push(value);
  });
  return tensors;
}

/** The same tree with every Map replaced. */
export function mapTransformState<S extends TransformState>(
  state: S,
  transform: (
    leaf: ReadonlyMap<string, tf.Tensor | number>,
    path: string,
  ) => ReadonlyMap<string, tf.Tensor> | ReadonlyMap<string, number>,
  path = '',
): S {
  const below = (key: string | number): string => (path === '' ? String(key) : `${path}/${key}`);
  if (state instanceof Map) return transform(state, path) as S;
  if (Array.isArray(state))
    return state.map((child, i) => mapTransformState(child, transform, below(i))) as unknown as S;
  const entries = Object.entries(state as Record<string, TransformState>);
  return Object.fromEntries(
    entries.map(([key, child]) => [key, mapTransformState(child, transform, below(key))]),
  ) as unknown as S;
}

/** A state of its own: every tensor cloned. */
export function cloneTransformState<S extends TransformState>(state: S): S {
  return mapTransformState(
    state,
    leaf =>
      new Map(
        [...leaf].map(([path, value]) => [path, typeof value === 'number' ? value : tf.clone(value)]),
      ) as ReadonlyMap<string, tf.Tensor>,
  );
}

/** Disposes every tensor of a state. */
export function disposeTransformState(state: TransformState): void {
  tf.dispose(stateTensorsOf(state));
}

/**
 * Runs transforms one after the other: each gets the updates of the one before as its gradients.
 * `chain(clipByGlobalNorm(1), adamw({ learningRate: 1e-3 }))` clips first.
 */
export function chain(...transforms: readonly GradientTransform[]): GradientTransform<readonly TransformState[]> {
  return {
    init: parameters => transforms.map(transform => transform.init(parameters)),
    update(gradients, state, context) {
      let current: Gradients = gradients;
      const next: TransformState[] = [];
      const disposeCurrent = (): void => {
        if (current !== gradients) tf.dispose([...current.values()]);
      };
      try {
        for (const [i, transform] of transforms.entries()) {
          const result = transform.update(current, state[i]!, context);
          disposeCurrent();
          current = result.updates;
          next.push(result.state);
        }
      } catch (error) {
        disposeCurrent();
        disposeTransformState(next);
        throw error;
      }
      const updates = current === gradients ? cloneAll(gradients) : (current as Map<string, tf.Tensor>);
      return { updates, state: next };
    },
    plan(steps, state, context) {
      let current = steps;
      const next: TransformState[] = [];
      for (const [i, transform] of transforms.entries()) {
        const plan = transform.plan?.(current, state[i]!, context);
        if (!plan) return undefined;
        current = plan.steps;
        next.push(plan.state);
      }
      return { steps: current, state: next };
    },
    learningRate: transforms.findLast(transform => transform.learningRate)?.learningRate,
  };
}

/** Every tensor under another name, on the same memory. */
export function cloneAll(tensors: Gradients): Map<string, tf.Tensor> {
  return new Map([...tensors].map(([path, tensor]) => [path, tf.clone(tensor)]));
}

/**
 * Applies `inner` to the parameters whose path satisfies `keep`, and passes the gradients of the others on unchanged. They need a
 * transform of their own in the chain, or `Optimizer` adds them raw: parameter groups are
 * `chain(masked(isDecayed, adamw(…)), masked(path => !isDecayed(path), adam(…)))`.
 */
export function masked<S extends TransformState>(
  keep: PathPredicate,
  inner: GradientTransform<S>,
): GradientTransform<S> {
  return {
    init: parameters => inner.init(select(parameters, keep)),
    update(gradients, state, { parameters, step }) {
      const selected = new Map([...gradients].filter(([path]) => keep(path)));
      const result = inner.update(selected, state, { parameters: select(parameters, keep), step });
      const others = cloneAll(new Map([...gradients].filter(([path]) => !keep(path))));
      return { updates: new Map([...result.updates, ...others]), state: result.state };
    },
    plan(steps, state, { parameters, step }) {
      const selected = new Map([...steps].filter(([path]) => keep(path)));
      const plan = inner.plan?.(selected, state, { parameters: select(parameters, keep), step });
      const others = [...steps].filter(([path]) => !keep(path));
      return plan && { steps: new Map([...plan.steps, ...others]), state: plan.state };
    },
    learningRate: inner.learningRate,
  };
}

/**
 * Leaves the parameters whose path satisfies `predicate` as they are: they get no update. Put it first in a chain, so that
 * neither clipping nor weight decay sees them. To save their gradients altogether, give `valueAndGrad` and the optimizer
 * `select(parameters, …)` instead.
 */
export function freeze(predicate: PathPredicate): GradientTransform<Stateless> {
  return {
    init: () => ({}),
    update: gradients => ({
      updates: cloneAll(new Map([...gradients].filter(([path]) => !predicate(path)))),
      state: {},
    }),
    plan: steps => ({ steps: new Map([...steps].filter(([path]) => !predicate(path))), state: {} }),
  };
}
