import * as tf from '@tensorflow/tfjs-core';
import { ArgumentError } from './errors.ts';

const marker: symbol = Symbol.for('ostinato.module');

/**
 * A module is a tree: a class whose public readonly fields are `tf.Variable`s, other modules, arrays or plain objects of these, or
 * plain configuration. There is no registry, no lazy build and no hidden state; what the fields hold is the model. Private (`#`)
 * fields, Maps, Sets and instances of other classes are not looked into: what they hold is no parameter.
 */
export abstract class Module {
  constructor() {
    Object.defineProperty(this, marker, { value: true });
  }

  /** Frees every Variable of the tree. A Variable shared with another module is freed for both. */
  dispose(): void {
    for (const variable of parameters(this).values()) variable.dispose();
  }
}

/** Whether `value` is a `Module`, also one from another copy of this package. */
export function isModule(value: unknown): value is Module {
  return typeof value === 'object' && value !== null && marker in value;
}

/** Parameters of a module tree by path, e.g. `decoder.layers.3.attention.query.weight`. */
export type Parameters = ReadonlyMap<string, tf.Variable>;

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function* leaves(
  node: unknown,
  path: string,
  ancestors: readonly unknown[],
): Generator<readonly [string, tf.Variable]> {
  if (node instanceof tf.Variable) yield [path, node];
  else if (isModule(node) || Array.isArray(node) || isPlainObject(node)) {
    if (ancestors.includes(node)) {
      throw new ArgumentError({
        where: 'parameters',
        rule: 'a module may not contain itself',
        got: `a cycle at ${path}`,
      });
    }
    for (const [key, child] of Object.entries(node)) {
      yield* leaves(child, path === '' ? key : `${path}.${key}`, [...ancestors, node]);
    }
  }
}

/**
 * Walks the module tree depth first, in the order in which its fields were assigned, and lists its Variables by path. A
 * Variable that occurs twice (a tied weight) is listed once, under its first path.
 *
 * Freezing, weight decay masks, weight tying, checkpoints and the import of weights are operations on this map.
 *
 * @throws ArgumentError when the tree has a cycle.
 */
export function parameters(root: Module | readonly Module[]): Map<string, tf.Variable> {
  const found = new Map<string, tf.Variable>();
  const seen = new Set<tf.Variable>();
  for (const [path, variable] of leaves(root, '', [])) {
    if (seen.has(variable)) continue;
    seen.add(variable);
    found.set(path, variable);
  }
  return found;
}

/** The parameters whose path satisfies `keep`: `select(parameters(model), path => path.startsWith('decoder.'))`. */
export function select(
  all: Parameters,
  keep: (path: string, variable: tf.Variable) => boolean,
): Map<string, tf.Variable> {
  return new Map([...all].filter(([path, variable]) => keep(path, variable)));
}
