/**
 * `OstinatoOptimizerUpdate`, `OstinatoOptimizerStep` and `OstinatoOptimizerNorm`: an optimizer's step in one pass, proposed, made or
 * only measured; and `OstinatoNorm`.
 */

import { ResourceError } from '@ostinato/core';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type Attributes, defineKernel, type Inputs, type KernelCall, smallWork } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';
import type { TeamArguments } from '../team.ts';

/** Of each step: gradient, parameter, scale? and three slots?. */
const inputsPerStep = 6;
/** Floats that a kernel reads for each step: five that all rules have, and eight of the rule's own. */
const numbersPerStep = 16;
const squareBlock = 1024;
/** In the order of `kernels/optimizer.c`. */
const kinds = ['descent', 'momentum', 'adam', 'adamax', 'lion', 'squares', 'adadelta'];

interface Step {
  readonly kind: string;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly gradientDecay: number;
  readonly limit: number;
  readonly flag: boolean;
  readonly numbers: readonly number[];
  readonly present: readonly boolean[];
}

type Slots = readonly [Address, Address, Address];

/** One step with all its memory taken: nothing that follows can fail for want of room. */
interface PlacedStep {
  readonly kind: number;
  readonly size: number;
  readonly scale: Address;
  readonly gradient: Address;
  readonly parameter: Address;
  readonly slots: Slots;
  readonly numbers: Address;
}

function placeSteps(call: KernelCall, tensors: readonly TensorInfo[], steps: readonly Step[]): PlacedStep[] {
  const numbers = call.scratch(numbersPerStep * steps.length);
  const placed = steps.map((step, index): PlacedStep => {
    const [gradient, parameter, scale, ...slots] = tensors.slice(inputsPerStep * index, inputsPerStep * (index + 1));
    const addressOf = (slot: number): Address => (step.present[slot] ? call.input(slots[slot]!) : 0);
    return {
      kind: kinds.indexOf(step.kind),
      size: util.sizeFromShape(gradient!.shape),
      scale: call.optional(scale),
      gradient: call.input(gradient!),
      parameter: call.input(parameter!),
      slots: [addressOf(0), addressOf(1), addressOf(2)],
      numbers: numbers + 4 * numbersPerStep * index,
    };
  });
  const view = new Float32Array(call.backend.kernelMemory.buffer, numbers, numbersPerStep * steps.length);
  for (const [index, { learningRate, weightDecay, gradientDecay, limit, flag, numbers: own }] of steps.entries()) {
    view.set([learningRate, weightDecay, gradientDecay, limit, Number(flag), ...own], numbersPerStep * index);
  }
  return placed;
}

/** Where a step writes; 0 for what it does not. */
interface Targets {
  readonly parameter?: Address;
  readonly update?: Address;
  readonly slots?: Slots;
  readonly sums?: Address;
}

function runStep(call: KernelCall, step: PlacedStep, { parameter, update, slots, sums }: Targets): void {
  const { size } = step;
  if (size === 0) return;
  const values: TeamArguments<'optimizer_step'> = [
    ...([step.kind, step.gradient, step.scale, step.parameter, ...step.slots, parameter ?? 0, update ?? 0] as const),
    ...([...(slots ?? ([0, 0, 0] as const)), sums ?? 0, step.numbers, size] as const),
  ];
  if (size <= smallWork) call.backend.smallKernels.optimizer_step(...values, 0, 1, 0);
  else call.share('optimizer_step', 4 * size * (2 + step.slots.filter(Boolean).length), values);
}

/** gradient, parameter, scale?, slots? → update, slots. */
function optimizerUpdate(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const tensors = inputs as unknown as readonly TensorInfo[];
  const steps = attributes['steps'] as readonly Step[];
  const [step] = placeSteps(call, tensors, steps);
  const update = call.output(tensors[0]!.shape);
  const slots = steps[0]!.present.map(present => (present ? call.output(update.shape) : undefined));
  const addressOf = (slot: number): Address => (slots[slot] ? call.input(slots[slot]) : 0);
  runStep(call, step!, { update: call.input(update), slots: [addressOf(0), addressOf(1), addressOf(2)] });
  return [update, ...slots.filter(slot => slot !== undefined)];
}

/** The same of every step → parameter, slots of every step, written over the inputs where nobody else reads those. */
function optimizerStep(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const tensors = inputs as unknown as readonly TensorInfo[];
  const steps = attributes['steps'] as readonly Step[];
  const uses = new Map<object, number>();
  for (const { dataId } of tensors) uses.set(dataId, (uses.get(dataId) ?? 0) + 1);
  const placed = placeSteps(call, tensors, steps);
  let overwrites = false;
  const target = (tensor: TensorInfo): TensorInfo => {
    if (uses.get(tensor.dataId)! > 1 || !call.backend.isSole(tensor)) return call.output(tensor.shape);
    overwrites = true;
    return call.shared(tensor);
  };
  const outputs: TensorInfo[] = [];
  const targets = steps.map(({ present }, index): Targets => {
    const [, parameter, , ...slots] = tensors.slice(inputsPerStep * index, inputsPerStep * (index + 1));
    const [newParameter, ...newSlots] = [parameter!, ...slots.filter((_, slot) => present[slot])].map(target);
    outputs.push(newParameter!, ...newSlots);
    const addressOf = (slot: number): Address => (present[slot] ? call.input(newSlots.shift()!) : 0);
    return { parameter: call.input(newParameter!), slots: [addressOf(0), addressOf(1), addressOf(2)] };
  });
  try {
    for (const [index, step] of placed.entries()) runStep(call, step, targets[index]!);
  } catch (error) {
    if (!overwrites || !(error instanceof ResourceError)) throw error;
    throw new ResourceError({
      where: 'OstinatoOptimizerStep',
      rule: 'a thread was lost while parameters were written over',
      advice: 'They are of two steps now: restore the last checkpoint.',
      cause: error,
    });
  }
  return outputs;
}

/** √Σ of blocks that were summed up in the memory, in one order. */
function normOf(call: KernelCall, sums: Address, blocks: number): TensorInfo {
  const norm = call.output([]);
  const { buffer } = call.backend.kernelMemory;
  let total = 0;
  for (const sum of new Float32Array(buffer, sums, blocks)) total += sum;
  new Float32Array(buffer, call.input(norm), 1)[0] = Math.sqrt(total);
  return norm;
}

const blocksOf = (size: number): number => Math.ceil(size / squareBlock);

/** The same → the norm of all updates, []. */
function optimizerNorm(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const placed = placeSteps(call, inputs as unknown as readonly TensorInfo[], attributes['steps'] as readonly Step[]);
  const blocks = placed.reduce((sum, { size }) => sum + blocksOf(size), 0);
  const sums = call.scratch(blocks);
  let first = 0;
  for (const step of placed) {
    runStep(call, step, { sums: sums + 4 * first });
    first += blocksOf(step.size);
  }
  return normOf(call, sums, blocks);
}

/** Any number of tensors → the norm of all of them, []. */
function norm(call: KernelCall, inputs: Inputs): TensorInfo {
  const tensors = Object.values(inputs);
  const sizes = tensors.map(({ shape }) => util.sizeFromShape(shape));
  const blocks = sizes.reduce((sum, size) => sum + blocksOf(size), 0);
  const sums = call.scratch(blocks);
  let first = 0;
  for (const [index, size] of sizes.entries()) {
    const values = [call.input(tensors[index]!), sums + 4 * first, size] as const;
    if (size <= smallWork) call.backend.smallKernels.square_sums(...values, 0, 1, 0);
    else call.share('square_sums', size, values as never);
    first += blocksOf(size);
  }
  return normOf(call, sums, blocks);
}

export function defineOptimizers(): void {
  defineKernel('OstinatoOptimizerUpdate', optimizerUpdate);
  defineKernel('OstinatoOptimizerStep', optimizerStep);
  defineKernel('OstinatoOptimizerNorm', optimizerNorm);
  defineKernel('OstinatoNorm', norm);
}
