/**
 * Whole-sequence recurrences: the kernels `OstinatoRnn`, `OstinatoLstm`, `OstinatoGru` and their gradients. Shapes and
 * equations are those of docs/decisions/2026-11-23-op-contract.md.
 */

import { ArgumentError } from '@ostinato/core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Attributes, defineKernel, type Inputs, isAbsent, type KernelCall } from '../kernel-call.ts';

type SharedInput = 'input' | 'inputWeight' | 'recurrentWeight' | 'bias' | 'initialHidden' | 'lengths';
type LstmInput = SharedInput | 'initialCell' | 'projection';
type GruInput = SharedInput | 'recurrentBias';

/** Sizes of a sequence and the address of its lengths, which are checked here: kernels trust them. */
function sequenceOf(call: KernelCall, where: string, input: TensorInfo, lengths: TensorInfo) {
  const [batch, time, inputs] = input.shape as [number, number, number];
  const padded = !isAbsent(lengths);
  let valid = batch * time;
  if (padded) {
    const values = Array.from(call.values(lengths));
    const wrong = values.find(length => !(Number.isInteger(length) && length >= 0 && length <= time));
    if (wrong !== undefined || values.length !== batch || lengths.dtype !== 'int32') {
      throw new ArgumentError({
        where,
        rule: 'lengths must be int32 [batch], each between 0 and time',
        expected: `[${batch}] of 0 … ${time}`,
        got: `${lengths.dtype} [${values.length}]${wrong === undefined ? '' : ` with ${wrong}`}`,
      });
    }
    valid = values.reduce((sum, length) => sum + length, 0);
  }
  return { batch, time, inputs, padded: Number(padded), valid, lengthsAddress: call.optional(lengths) };
}

/** Threads for the products of so many rows with these weights. */
function threadsFor(call: KernelCall, rows: number, weights: readonly TensorInfo[]): number {
  const sizes = weights.map(({ shape }) => shape[0]! * shape[1]!);
  return call.backend.team.threadsFor(2 * rows * sizes.reduce((sum, size) => sum + size, 0));
}

function lstm(call: KernelCall, inputs: Inputs, { reverse }: Attributes): TensorInfo[] {
  const { input, inputWeight, recurrentWeight, bias, initialHidden, initialCell, projection, lengths } =
    inputs as Record<LstmInput, TensorInfo>;
  const sizes = sequenceOf(call, 'OstinatoLstm', input, lengths);
  const { batch, time, padded, valid } = sizes;
  const hidden = initialCell.shape[1]!;
  const outputs = initialHidden.shape[1]!;
  const output = call.output([batch, time, outputs]);
  const hiddenState = call.output([batch, outputs]);
  const cellState = call.output([batch, hidden]);
  const reserve = call.output([valid * 5 * hidden]);
  const projected = Number(!isAbsent(projection));
  const threads = threadsFor(call, sizes.valid, [inputWeight, recurrentWeight]);
  const work = call.kernels.lstm_forward_work(padded, batch, time, sizes.inputs, hidden, outputs, projected, threads);
  const gates = call.input(reserve);
  call.backend.team.run('lstm_forward', threads, [
    ...([call.input(input), call.input(inputWeight), call.input(recurrentWeight), call.optional(bias)] as const),
    ...([call.input(initialHidden), call.input(initialCell), call.optional(projection), sizes.lengthsAddress] as const),
    ...([call.input(output), call.input(hiddenState), call.input(cellState)] as const),
    ...([gates, gates + 4 * valid * 4 * hidden, batch, time, sizes.inputs, hidden, outputs] as const),
    ...([Number(reverse), call.scratch(work)] as const),
  ]);
  return [output, hiddenState, cellState, reserve];
}

function lstmGradient(call: KernelCall, inputs: Inputs, { reverse }: Attributes): TensorInfo[] {
  const { input, inputWeight, recurrentWeight, bias, initialHidden, initialCell, projection, lengths, ...rest } =
    inputs as Record<LstmInput | 'output' | 'reserve' | 'dOutput' | 'dHidden' | 'dCell', TensorInfo>;
  const sizes = sequenceOf(call, 'OstinatoLstmGrad', input, lengths);
  const { batch, time, padded, valid } = sizes;
  const hidden = initialCell.shape[1]!;
  const outputs = initialHidden.shape[1]!;
  const dInput = call.output(input.shape);
  const dInputWeight = call.output(inputWeight.shape);
  const dRecurrentWeight = call.output(recurrentWeight.shape);
  const dBias = call.output(bias.shape);
  const dInitialHidden = call.copyOf(rest.dHidden);
  const dInitialCell = call.copyOf(rest.dCell);
  const dProjection = call.output(projection.shape);
  const projected = Number(!isAbsent(projection));
  const threads = threadsFor(call, sizes.valid, [inputWeight, recurrentWeight]);
  const work = call.kernels.lstm_backward_work(padded, batch, time, sizes.inputs, hidden, outputs, projected, threads);
  const gates = call.input(rest.reserve);
  call.backend.team.run('lstm_backward', threads, [
    ...([call.input(input), call.input(inputWeight), call.input(recurrentWeight)] as const),
    ...([call.input(initialHidden), call.input(initialCell), call.optional(projection), sizes.lengthsAddress] as const),
    ...([call.input(rest.output), gates, gates + 4 * valid * 4 * hidden, call.input(rest.dOutput)] as const),
    ...([call.input(dInitialHidden), call.input(dInitialCell), call.input(dInput)] as const),
    ...([
      call.input(dInputWeight),
      call.input(dRecurrentWeight),
      call.optional(dBias),
      call.optional(dProjection),
    ] as const),
    ...([batch, time, sizes.inputs, hidden, outputs, Number(reverse), call.scratch(work)] as const),
  ]);
  return [dInput, dInputWeight, dRecurrentWeight, dBias, dInitialHidden, dInitialCell, dProjection];
}

function rnn(call: KernelCall, inputs: Inputs, { reverse, activation }: Attributes): TensorInfo[] {
  const { input, inputWeight, recurrentWeight, bias, initialHidden, lengths } = inputs as Record<
    SharedInput,
    TensorInfo
  >;
  const sizes = sequenceOf(call, 'OstinatoRnn', input, lengths);
  const { batch, time, padded } = sizes;
  const hidden = initialHidden.shape[1]!;
  const output = call.output([batch, time, hidden]);
  const hiddenState = call.output([batch, hidden]);
  const threads = threadsFor(call, sizes.valid, [inputWeight, recurrentWeight]);
  const work = call.kernels.rnn_forward_work(padded, batch, time, sizes.inputs, hidden, threads);
  call.backend.team.run('rnn_forward', threads, [
    ...([call.input(input), call.input(inputWeight), call.input(recurrentWeight), call.optional(bias)] as const),
    ...([call.input(initialHidden), sizes.lengthsAddress, call.input(output), call.input(hiddenState)] as const),
    ...([
      batch,
      time,
      sizes.inputs,
      hidden,
      Number(reverse),
      Number(activation === 'relu'),
      call.scratch(work),
    ] as const),
  ]);
  return [output, hiddenState];
}

function rnnGradient(call: KernelCall, inputs: Inputs, { reverse, activation }: Attributes): TensorInfo[] {
  const { input, inputWeight, recurrentWeight, bias, initialHidden, lengths, ...rest } = inputs as Record<
    SharedInput | 'output' | 'dOutput' | 'dHidden',
    TensorInfo
  >;
  const sizes = sequenceOf(call, 'OstinatoRnnGrad', input, lengths);
  const { batch, time, padded } = sizes;
  const hidden = initialHidden.shape[1]!;
  const dInput = call.output(input.shape);
  const dInputWeight = call.output(inputWeight.shape);
  const dRecurrentWeight = call.output(recurrentWeight.shape);
  const dBias = call.output(bias.shape);
  const dInitialHidden = call.copyOf(rest.dHidden);
  const threads = threadsFor(call, sizes.valid, [inputWeight, recurrentWeight]);
  const work = call.kernels.rnn_backward_work(padded, batch, time, sizes.inputs, hidden, threads);
  call.backend.team.run('rnn_backward', threads, [
    ...([call.input(input), call.input(inputWeight), call.input(recurrentWeight)] as const),
    ...([call.input(initialHidden), sizes.lengthsAddress, call.input(rest.output), call.input(rest.dOutput)] as const),
    ...([
      call.input(dInitialHidden),
      call.input(dInput),
      call.input(dInputWeight),
      call.input(dRecurrentWeight),
    ] as const),
    ...([call.optional(dBias), batch, time, sizes.inputs, hidden] as const),
    ...([Number(reverse), Number(activation === 'relu'), call.scratch(work)] as const),
  ]);
  return [dInput, dInputWeight, dRecurrentWeight, dBias, dInitialHidden];
}

function gru(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { input, inputWeight, recurrentWeight, bias, recurrentBias, initialHidden, lengths } = inputs as Record<
    GruInput,
    TensorInfo
  >;
  const sizes = sequenceOf(call, 'OstinatoGru', input, lengths);
  const { batch, time, padded, valid } = sizes;
  const [reverse, resetAfter] = [Number(attributes['reverse']), Number(attributes['resetAfter'])];
  const hidden = initialHidden.shape[1]!;
  const output = call.output([batch, time, hidden]);
  const hiddenState = call.output([batch, hidden]);
  const reserve = call.output([valid * 4 * hidden]);
  const gates = call.input(reserve);
  const threads = threadsFor(call, sizes.valid, [inputWeight, recurrentWeight]);
  const work = call.kernels.gru_forward_work(padded, batch, time, sizes.inputs, hidden, resetAfter, threads);
  call.backend.team.run('gru_forward', threads, [
    ...([call.input(input), call.input(inputWeight), call.input(recurrentWeight), call.optional(bias)] as const),
    ...([call.optional(recurrentBias), call.input(initialHidden), sizes.lengthsAddress, call.input(output)] as const),
    ...([call.input(hiddenState), gates, gates + 4 * valid * 3 * hidden, batch, time, sizes.inputs, hidden] as const),
    ...([reverse, resetAfter, call.scratch(work)] as const),
  ]);
  return [output, hiddenState, reserve];
}

function gruGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { input, inputWeight, recurrentWeight, bias, recurrentBias, initialHidden, lengths, ...rest } =
    inputs as Record<GruInput | 'output' | 'reserve' | 'dOutput' | 'dHidden', TensorInfo>;
  const sizes = sequenceOf(call, 'OstinatoGruGrad', input, lengths);
  const { batch, time, padded, valid } = sizes;
  const [reverse, resetAfter] = [Number(attributes['reverse']), Number(attributes['resetAfter'])];
  const hidden = initialHidden.shape[1]!;
  const dInput = call.output(input.shape);
  const dInputWeight = call.output(inputWeight.shape);
  const dRecurrentWeight = call.output(recurrentWeight.shape);
  const dBias = call.output(bias.shape);
  const dRecurrentBias = call.output(recurrentBias.shape);
  const dInitialHidden = call.copyOf(rest.dHidden);
  const gates = call.input(rest.reserve);
  const threads = threadsFor(call, sizes.valid, [inputWeight, recurrentWeight]);
  const work = call.kernels.gru_backward_work(padded, batch, time, sizes.inputs, hidden, resetAfter, threads);
  call.backend.team.run('gru_backward', threads, [
    ...([call.input(input), call.input(inputWeight), call.input(recurrentWeight)] as const),
    ...([call.input(initialHidden), sizes.lengthsAddress, call.input(rest.output)] as const),
    ...([gates, gates + 4 * valid * 3 * hidden, call.input(rest.dOutput), call.input(dInitialHidden)] as const),
    ...([call.input(dInput), call.input(dInputWeight), call.input(dRecurrentWeight)] as const),
    ...([call.optional(dBias), call.optional(dRecurrentBias), batch, time, sizes.inputs, hidden] as const),
    ...([reverse, resetAfter, call.scratch(work)] as const),
  ]);
  return [dInput, dInputWeight, dRecurrentWeight, dBias, dRecurrentBias, dInitialHidden];
}

export function defineSequences(): void {
  defineKernel('OstinatoRnn', rnn);
  defineKernel('OstinatoRnnGrad', rnnGradient);
  defineKernel('OstinatoGru', gru);
  defineKernel('OstinatoGruGrad', gruGradient);
  defineKernel('OstinatoLstm', lstm);
  defineKernel('OstinatoLstmGrad', lstmGradient);
}
