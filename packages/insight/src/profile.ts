import { ArgumentError, checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** All calls of one kernel in a step. */
export interface KernelProfile {
  /** Its name, e.g. `_FusedMatMul` or `OstinatoLstmGrad`. */
  readonly name: string;
  readonly calls: number;
  /** Time spent in it. */
  readonly milliseconds: number;
  /** Multiplications and additions that its shapes ask for: products, convolutions, sequences, attention; 0 for other kernels. */
  readonly operations: number;
  /** Bytes of its inputs and outputs, each read or written once; 0 for those that move nothing (`Reshape`). */
  readonly bytes: number;
}

/** Where the time of a step goes. */
export interface StepProfile {
  /** Time of the whole step when it is not being watched: the fastest. */
  readonly milliseconds: number;
  /** Slowest first. */
  readonly kernels: readonly KernelProfile[];
}

/** What a machine can do at most, to compare with. */
export interface Peak {
  /** Multiplications and additions, in 10⁹ a second. */
  readonly gigaflops: number;
  /** Reading and writing, in 10⁹ bytes a second. */
  readonly gigabytesPerSecond: number;
}

type Shape = readonly number[] | null | undefined;

const sizeOf = (shape: Shape): number => shape?.reduce((product, size) => product * size, 1) ?? 0;
const matrixOf = (shape: Shape): number => sizeOf(shape?.slice(-2));

/** A product's common dimension: |a|·|b| / |out| of one matrix of the batch is its square, however the factors are stored. */
const product = ([a, b]: readonly Shape[], out: Shape): number =>
  2 * sizeOf(out) * Math.round(Math.sqrt((matrixOf(a) * matrixOf(b)) / matrixOf(out)));

/** input [B, T, D] and its weights; the third is [H, gates]. Gradients have the same inputs first. */
const sequence = ([input, inputWeight, recurrentWeight]: readonly Shape[]): number =>
  2 * input![0]! * input![1]! * (sizeOf(inputWeight) + sizeOf(recurrentWeight));

/** The LSTM's projection, [0] when it has none, is its seventh input. */
const lstm = (inputs: readonly Shape[]): number =>
  sequence(inputs) + 2 * inputs[0]![0]! * inputs[0]![1]! * sizeOf(inputs[6]);

/** query [B, Hq, Tq, D], key [B, Hk, Tk, D], value [B, Hk, Tk, Dv]: every query with every key. */
const attention = ([query, , value]: readonly Shape[]): number =>
  2 * query![0]! * query![1]! * query![2]! * value![2]! * (query![3]! + value![3]!);

/** Every output of a filter [h, w, in, out] is a sum over h·w·in. */
const convolution = (filter: Shape, outputs: Shape): number => (2 * sizeOf(outputs) * sizeOf(filter)) / filter![3]!;

/** Multiplications and additions by kernel, from the shapes of its inputs and of its first output. */
const operationsOf: Record<string, (inputs: readonly Shape[], output: Shape) => number> = {
  BatchMatMul: product,
  _FusedMatMul: product,
  Conv2D: ([, filter], output) => convolution(filter, output),
  FusedConv2D: ([, filter], output) => convolution(filter, output),
  Conv2DBackpropInput: ([dOutput, filter]) => convolution(filter, dOutput),
  Conv2DBackpropFilter: ([, dOutput], dFilter) => convolution(dFilter, dOutput),
  OstinatoLstm: lstm,
  OstinatoLstmGrad: inputs => 2 * lstm(inputs),
  OstinatoRnn: sequence,
  OstinatoRnnGrad: inputs => 2 * sequence(inputs),
  OstinatoGru: sequence,
  OstinatoGruGrad: inputs => 2 * sequence(inputs),
  OstinatoAttention: attention,
  OstinatoAttentionGrad: inputs => 2.5 * attention(inputs),
};

/** Kernels that give another view of the same values. */
const views = new Set(['Reshape', 'Identity', 'ExpandDims', 'Squeeze']);

/**
 * Measures where a step's time goes on the active engine, kernel by kernel. The step runs some times to warm up, some times to
 * be timed, and then as often with every kernel timed; the fastest of the latter is reported.
 *
 * @param step a whole step, with its result read (`dataSync`); it must dispose what it makes
 * @param repetitions of each kind, at least 1. Default 3
 * @throws ArgumentError when repetitions is no positive integer; what `step` throws
 */
export async function profileStep(
  step: () => unknown,
  { repetitions = 3 }: { repetitions?: number | undefined } = {},
): Promise<StepProfile> {
  if (typeof step !== 'function') {
    throw new ArgumentError({ where: 'profileStep', rule: 'step must be a function', got: typeof step });
  }
  checkNumber('profileStep', 'repetitions', repetitions, { integer: true, min: 1 });
  await step();
  let milliseconds = Infinity;
  for (let i = 0; i < repetitions; i++) {
    const start = performance.now();
    await step();
    milliseconds = Math.min(milliseconds, performance.now() - start);
  }
  let best: { readonly total: number; readonly kernels: readonly KernelProfile[] } | undefined;
  for (let i = 0; i < repetitions; i++) {
    const kernels = await profileOnce(step);
    const total = kernels.reduce((sum, kernel) => sum + kernel.milliseconds, 0);
    if (best === undefined || total < best.total) best = { total, kernels };
  }
  return { milliseconds, kernels: best!.kernels };
}

async function profileOnce(step: () => unknown): Promise<KernelProfile[]> {
  let failure: { readonly error: unknown } | undefined;
  const { kernels } = await tf.profile(async () => {
    // After a throw, tf.profile would leave the engine profiling for ever.
    try {
      await step();
    } catch (error) {
      failure = { error };
    }
  });
  if (failure) throw failure.error;
  const sums = new Map<string, { -readonly [Key in keyof KernelProfile]: KernelProfile[Key] }>();
  for (const { name, kernelTimeMs, inputShapes, outputShapes } of kernels) {
    // TensorFlow.js lists the calls of tf.customGrad beside the kernels that they run.
    if (tf.getKernel(name, tf.getBackend()) === undefined) continue;
    const sum = sums.get(name) ?? { name, calls: 0, milliseconds: 0, operations: 0, bytes: 0 };
    sums.set(name, sum);
    sum.calls++;
    sum.milliseconds += kernelTimeMs as number;
    sum.operations += operationsOf[name]?.(inputShapes, outputShapes[0]) ?? 0;
    if (!views.has(name))
      sum.bytes += [...inputShapes, ...outputShapes].reduce((all, shape) => all + 4 * sizeOf(shape), 0);
  }
  return [...sums.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

/**
 * A profile as a table for terminals. A kernel with products is measured in GFLOP/s, another one in GB/s; beside it what part
 * of the peak that is, when the peak is given. The last line is what passes between kernels: the graph, JavaScript, allocation.
 *
 * @param rows at most so many kernels, the rest summed up in one line. Default 16
 * @throws ArgumentError when rows is no positive integer
 */
export function profileTable(
  { milliseconds, kernels }: StepProfile,
  { peak, rows = 16 }: { peak?: Peak | undefined; rows?: number | undefined } = {},
): string {
  checkNumber('profileTable', 'rows', rows, { integer: true, min: 1 });
  const share = (part: number): string => `${((100 * part) / milliseconds).toFixed(1)} %`;
  const line = (...cells: string[]): string =>
    [
      cells[0]!.padEnd(32),
      ...cells.slice(1, 4).map(cell => cell.padStart(9)),
      ...cells.slice(4).map(cell => cell.padStart(16)),
    ]
      .join('')
      .trimEnd();
  const ofPeak = (rate: number, highest: number | undefined): string =>
    highest === undefined ? '' : `${((100 * rate) / highest).toFixed(0)} %`;
  const rates = ({ milliseconds: time, operations, bytes }: KernelProfile): string[] => {
    if (time === 0 || operations + bytes === 0) return [];
    const rate = (operations || bytes) / time / 1e6;
    return operations > 0
      ? [`${rate.toFixed(1)} GFLOP/s`, ofPeak(rate, peak?.gigaflops)]
      : [`${rate.toFixed(1)} GB/s`, ofPeak(rate, peak?.gigabytesPerSecond)];
  };
  const shown = kernels.slice(0, rows);
  const others = kernels.slice(rows);
  const sum = (list: readonly KernelProfile[], what: 'milliseconds' | 'calls'): number =>
    list.reduce((total, kernel) => total + kernel[what], 0);
  const inKernels = sum(kernels, 'milliseconds');
  const between = Math.max(0, milliseconds - inKernels);
  return [
    line('kernel', 'calls', 'ms', 'share', 'rate', ...(peak ? ['of peak'] : [])),
    ...shown.map(kernel =>
      line(
        kernel.name,
        String(kernel.calls),
        kernel.milliseconds.toFixed(2),
        share(kernel.milliseconds),
        ...rates(kernel),
      ),
    ),
    ...(others.length > 0
      ? [
          line(
            `${others.length} others`,
            String(sum(others, 'calls')),
            sum(others, 'milliseconds').toFixed(2),
            share(sum(others, 'milliseconds')),
          ),
        ]
      : []),
    line('between kernels', '', between.toFixed(2), share(between)),
    line('step', String(sum(kernels, 'calls')), milliseconds.toFixed(2)),
  ].join('\n');
}
