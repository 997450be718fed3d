import { Rng } from '@ostinato/core';
import { gruSequence, lstmSequence, rnnSequence } from '@ostinato/ops';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { expectParity, lengthsOf, runs, seed, size } from './compare.ts';

const sequences = {
  batch: size(5),
  time: size(7),
  inputSize: size(9),
  hiddenSize: size(11),
  seed,
  bias: fc.boolean(),
  initial: fc.boolean(),
  ragged: fc.boolean(),
  reverse: fc.boolean(),
};

describe('kernels agree with the reference', () => {
  it('rnnSequence', async () => {
    const cases = fc.record({ ...sequences, activation: fc.constantFrom('tanh' as const, 'relu' as const) });
    await fc.assert(
      fc.asyncProperty(cases, ({ batch, time, inputSize, hiddenSize, activation, reverse, ...given }) =>
        expectParity({
          kernels: ['OstinatoRnn', 'OstinatoRnnGrad'],
          seed: given.seed,
          shapes: {
            input: [batch, time, inputSize],
            inputWeight: [inputSize, hiddenSize],
            recurrentWeight: [hiddenSize, hiddenSize],
            ...(given.bias ? { bias: [hiddenSize] } : {}),
            ...(given.initial ? { initialHidden: [batch, hiddenSize] } : {}),
          },
          deviation: 0.4,
          outputs: inputs => {
            const lengths = lengthsOf(new Rng(given.seed).split('lengths'), { batch, time, ragged: given.ragged });
            const { output, hidden } = rnnSequence(
              {
                input: inputs['input']!,
                inputWeight: inputs['inputWeight']!,
                recurrentWeight: inputs['recurrentWeight']!,
                bias: inputs['bias'],
                initialHidden: inputs['initialHidden'],
                lengths,
              },
              { activation, reverse },
            );
            return [output, hidden];
          },
        }),
      ),
      runs,
    );
  });

  it('lstmSequence', async () => {
    const cases = fc.record({ ...sequences, projected: fc.option(size(6)) });
    await fc.assert(
      fc.asyncProperty(cases, ({ batch, time, inputSize, hiddenSize, projected, reverse, ...given }) => {
        const width = projected ?? hiddenSize;
        return expectParity({
          kernels: ['OstinatoLstm', 'OstinatoLstmGrad'],
          seed: given.seed,
          shapes: {
            input: [batch, time, inputSize],
            inputWeight: [inputSize, 4 * hiddenSize],
            recurrentWeight: [width, 4 * hiddenSize],
            ...(given.bias ? { bias: [4 * hiddenSize] } : {}),
            ...(given.initial ? { initialHidden: [batch, width], initialCell: [batch, hiddenSize] } : {}),
            ...(projected === null ? {} : { projection: [hiddenSize, width] }),
          },
          outputs: inputs => {
            const lengths = lengthsOf(new Rng(given.seed).split('lengths'), { batch, time, ragged: given.ragged });
            const { output, hidden, cell } = lstmSequence(
              {
                input: inputs['input']!,
                inputWeight: inputs['inputWeight']!,
                recurrentWeight: inputs['recurrentWeight']!,
                bias: inputs['bias'],
                initialHidden: inputs['initialHidden'],
                initialCell: inputs['initialCell'],
                projection: inputs['projection'],
                lengths,
              },
              { reverse },
            );
            return [output, hidden, cell];
          },
        });
      }),
      runs,
    );
  });

  it('gruSequence', async () => {
    const cases = fc.record({ ...sequences, resetAfter: fc.boolean(), recurrentBias: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(cases, ({ batch, time, inputSize, hiddenSize, resetAfter, reverse, ...given }) =>
        expectParity({
          kernels: ['OstinatoGru', 'OstinatoGruGrad'],
          seed: given.seed,
          shapes: {
            input: [batch, time, inputSize],
            inputWeight: [inputSize, 3 * hiddenSize],
            recurrentWeight: [hiddenSize, 3 * hiddenSize],
            ...(given.bias ? { bias: [3 * hiddenSize] } : {}),
            ...(resetAfter && given.recurrentBias ? { recurrentBias: [3 * hiddenSize] } : {}),
            ...(given.initial ? { initialHidden: [batch, hiddenSize] } : {}),
          },
          outputs: inputs => {
            const lengths = lengthsOf(new Rng(given.seed).split('lengths'), { batch, time, ragged: given.ragged });
            const { output, hidden } = gruSequence(
              {
                input: inputs['input']!,
                inputWeight: inputs['inputWeight']!,
                recurrentWeight: inputs['recurrentWeight']!,
                bias: inputs['bias'],
                recurrentBias: inputs['recurrentBias'],
                initialHidden: inputs['initialHidden'],
                lengths,
              },
              { resetAfter, reverse },
            );
            return [output, hidden];
          },
        }),
      ),
      runs,
    );
  });
});
