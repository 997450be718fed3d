import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { ArgumentError, Linear, Module, parameters, select } from '../src/index.ts';

class Leaf extends Module {
  readonly scale = 3;
  readonly name = 'leaf';
  readonly absent = null;
  readonly weight: tf.Variable;

  constructor(weight = tf.variable(tf.zeros([2]))) {
    super();
    this.weight = weight;
  }
}

class Tree extends Module {
  readonly table: tf.Variable = tf.variable(tf.zeros([3, 2]));
  readonly layers: readonly Leaf[] = [new Leaf(), new Leaf()];
  readonly pairs: readonly (readonly Leaf[])[] = [[new Leaf()]];
  readonly output: Linear = new Linear({ inputSize: 2, outputSize: 3 });
}

it('lists parameters by path, depth first, in the order of the fields', () => {
  expect([...parameters(new Tree()).keys()]).toEqual([
    'table',
    'layers.0.weight',
    'layers.1.weight',
    'pairs.0.0.weight',
    'output.weight',
    'output.bias',
  ]);
});

it('looks into plain objects, but not into Maps and private fields', () => {
  class Heads extends Module {
    readonly heads = { pitch: new Leaf(), duration: { weight: tf.variable(tf.zeros([1])), width: 3 } };
    readonly byName: ReadonlyMap<string, Leaf> = new Map([['other', new Leaf()]]);
    readonly #hidden = new Leaf();

    hidden(): Leaf {
      return this.#hidden;
    }
  }
  expect([...parameters(new Heads()).keys()]).toEqual(['heads.pitch.weight', 'heads.duration.weight']);
});

it('takes a list of modules as a tree', () => {
  const leaf = new Leaf();
  const found = parameters([leaf, new Tree()]);
  expect(found.get('0.weight')).toBe(leaf.weight);
  expect(found.has('1.layers.0.weight')).toBe(true);
});

it('lists a shared Variable once, under its first path', () => {
  const shared = tf.variable(tf.zeros([2]));
  const both = [new Leaf(shared), new Leaf(shared)];
  expect([...parameters(both)]).toEqual([['0.weight', shared]]);
  const twice = new Leaf();
  expect([...parameters([twice, twice]).keys()]).toEqual(['0.weight']);
});

it('throws when a module contains itself, naming where', () => {
  class Node extends Module {
    next: Node | null = null;
  }
  const [first, second] = [new Node(), new Node()];
  first.next = second;
  second.next = first;
  expect(() => parameters(first)).toThrow(ArgumentError);
  expect(() => parameters(first)).toThrow('parameters: a module may not contain itself, got a cycle at next.next.');
});

it('selects by path and by Variable', () => {
  const all = parameters(new Tree());
  expect([...select(all, path => path.startsWith('output.')).keys()]).toEqual(['output.weight', 'output.bias']);
  expect([...select(all, (_, variable) => variable.shape[0] === 3).keys()]).toEqual(['table', 'output.bias']);
});

it('frees every Variable, shared ones too', () => {
  expectNoLeak(() => {
    const tree = new Tree();
    tree.dispose();
    tree.dispose();
  });
  const shared = tf.variable(tf.zeros([2]));
  const [first, second] = [new Leaf(shared), new Leaf(shared)];
  first.dispose();
  expect(second.weight.isDisposed).toBe(true);
});
