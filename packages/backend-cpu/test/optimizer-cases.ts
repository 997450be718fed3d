// Steps of every optimizer rule, as the kernels take them, and what they must give, one element at a time.
import * as tf from '@tensorflow/tfjs-core';
import { absent, numbers, tensor } from './support.ts';

interface Rule {
  readonly kind: string;
  readonly flag: boolean;
  readonly numbers: readonly number[];
  readonly present: readonly boolean[];
  /** g, slots → d, slots. */
  readonly equation: (g: number, slots: number[]) => number[];
}

const [keep, take] = [0.9, 0.2];
const square = (x: number): number => x * x;

/** Every rule, with and without what it may leave out. */
export const optimizerRules: readonly Rule[] = [
  { kind: 'descent', flag: false, numbers: [], present: [], equation: g => [g] },
  ...[false, true].map((flag): Rule => {
    const equation = (g: number, [b]: number[]) => {
      const next = keep * b! + take * g;
      return [flag ? g + 0.5 * next : next, next];
    };
    return { kind: 'momentum', flag, numbers: [keep, take, 0.5], present: [true], equation };
  }),
  ...(
    [
      [true, true, 0],
      [true, false, 0.7],
      [false, false, 0],
    ] as const
  ).map(([adaptive, hasLargest, ofGradient]): Rule => {
    const equation = (g: number, [m, v, w]: number[]) => {
      const [first, second] = [keep * m! + (1 - keep) * g, 0.99 * v! + 0.01 * g * g];
      const largest = Math.max(w ?? 0, second);
      const moment = 1.5 * first + ofGradient * g;
      const d = adaptive ? moment / (Math.sqrt(3 * (hasLargest ? largest : second)) + 1e-3) : moment;
      return [d, first, second, ...(hasLargest ? [largest] : [])];
    };
    const own = [keep, 1 - keep, 0.99, 0.01, 1e-3, 1.5, ofGradient, 3];
    return { kind: 'adam', flag: adaptive, numbers: own, present: [true, true, hasLargest], equation };
  }),
  {
    ...{ kind: 'adamax', flag: false, numbers: [keep, 1 - keep, 0.99, 1e-3, 1.5], present: [true, true] },
    equation: (g, [m, u]) => {
      const [first, largest] = [keep * m! + (1 - keep) * g, Math.max(0.99 * u!, Math.abs(g) + 1e-3)];
      return [(1.5 * first) / largest, first, largest];
    },
  },
  {
    ...{ kind: 'lion', flag: false, numbers: [keep, 1 - keep, 0.99, 0.01], present: [true] },
    equation: (g, [m]) => [Math.sign(keep * m! + (1 - keep) * g), 0.99 * m! + 0.01 * g],
  },
  ...[0, 1, 2, 3].map((optional): Rule => {
    const [centered, moving] = [optional % 2 === 1, optional > 1];
    const equation = (g: number, [v, second, third]: number[]) => {
      const meanSquare = keep * v! + take * g * g;
      const mean = keep * second! + take * g;
      const quotient = g / (Math.sqrt(Math.max(centered ? meanSquare - square(mean) : meanSquare, 0) + 0.1) + 1e-3);
      const d = moving ? 0.5 * (centered ? third! : second!) + quotient : quotient;
      return [d, meanSquare, ...(centered ? [mean] : []), ...(moving ? [d] : [])];
    };
    const present = [true, centered, moving];
    return { kind: 'squares', flag: false, numbers: [keep, take, 0.1, 1e-3, 0.5], present, equation };
  }),
  {
    ...{ kind: 'adadelta', flag: false, numbers: [keep, 1 - keep, 0.01], present: [true, true] },
    equation: (g, [v, u]) => {
      const meanSquare = keep * v! + (1 - keep) * g * g;
      const d = (Math.sqrt(u! + 0.01) / Math.sqrt(meanSquare + 0.01)) * g;
      return [d, meanSquare, keep * u! + (1 - keep) * d * d];
    },
  },
];

/** What a step has besides its rule. */
export interface Around {
  readonly weightDecay: number;
  readonly gradientDecay: number;
  readonly limit: number;
  readonly scaled: boolean;
}

const learningRate = 0.3;
const scale = 0.5;

/** Fresh inputs and the attributes of one step for each of the sizes; the rules take turns from `first` on. */
export function optimizerSteps(
  sizes: readonly number[],
  first: number,
  around: Around,
): { inputs: tf.Tensor[]; steps: object[] } {
  const { scaled, ...others } = around;
  const inputs: tf.Tensor[] = [];
  const steps = sizes.map((size, index) => {
    const { equation: _, ...rule } = ruleOf(first, index);
    const slots = [0, 1, 2].map(slot =>
      rule.present[slot] ? tf.tensor1d(slotValues(rule.kind, slot, index, size)) : absent(),
    );
    const [gradient, parameter] = [tensor(10 * index, [size], 2), tensor(10 * index + 1, [size])];
    inputs.push(gradient, parameter, scaled ? tf.scalar(scale) : absent(), ...slots);
    return { learningRate, ...others, ...rule };
  });
  return { inputs, steps };
}

const ruleOf = (first: number, index: number): Rule => optimizerRules[(first + index) % optimizerRules.length]!;

/** Only momenta may be negative. */
function slotValues(kind: string, slot: number, index: number, size: number): Float32Array {
  const signed =
    ['momentum', 'lion'].includes(kind) || (kind.startsWith('adam') ? slot === 0 : kind === 'squares' && slot > 0);
  const values = numbers(10 * index + 2 + slot, size);
  return signed ? values : values.map(Math.abs);
}

/** What the step gives for one size: update, parameter + update, and the slots that are present. */
export function expectedStep(size: number, index: number, first: number, around: Around): number[][] {
  const rule = ruleOf(first, index);
  const [gradient, parameter] = [numbers(10 * index, size, 2), numbers(10 * index + 1, size)];
  const slots = [0, 1, 2].filter(slot => rule.present[slot]).map(slot => slotValues(rule.kind, slot, index, size));
  const rows = Array.from(gradient, (g, i) => {
    const scaled = around.scaled ? scale * g : g;
    const limited = Math.min(Math.max(scaled, -around.limit), around.limit);
    const seen = limited + around.gradientDecay * parameter[i]!;
    const [d, ...next] = rule.equation(
      seen,
      slots.map(values => values[i]!),
    );
    const update = -learningRate * (d! + around.weightDecay * parameter[i]!);
    return [update, parameter[i]! + update, ...next];
  });
  return Array.from({ length: 2 + slots.length }, (_, column) => rows.map(row => row[column]!));
}
