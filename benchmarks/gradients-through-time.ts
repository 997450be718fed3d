import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Module, normal, Rng, spectralRadius, zeros } from '@ostinato/core';
import { gradientNormPlot } from '@ostinato/insight';
import { irnn, LSTMCell, type NamedState, RNNCell, type SequenceCell } from '@ostinato/recurrent';
import { gradientThroughTime } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark, Figures } from './report.ts';

const time = 100;
const sizes = { inputSize: 8, hiddenSize: 64 };
const batch = 32;

type AnyCell = SequenceCell<NamedState> & Module;

/** The six networks of the picture, by name. Inputs are weak, so that tanh is near its linear part at radius 0.5 and 1. */
function cells(rng: Rng): Record<string, AnyCell> {
  const tanh = (radius: number): AnyCell =>
    new RNNCell({
      ...sizes,
      recurrentInitializer: spectralRadius(radius),
      inputInitializer: normal(0.01),
      biasInitializer: zeros,
      // One draw for all three: the matrices differ by their factor alone.
      rng: rng.split('tanh'),
    });
  const lstm = (forgetBias: number): AnyCell => new LSTMCell({ ...sizes, forgetBias, rng: rng.split('lstm') });
  return {
    'tanh, ρ = 0.5': tanh(0.5),
    'tanh, ρ = 1': tanh(1),
    'tanh, ρ = 1.5': tanh(1.5),
    IRNN: new RNNCell({ ...sizes, ...irnn, rng: rng.split('irnn') }),
    'LSTM, b_f = 1': lstm(1),
    'LSTM, b_f = 5': lstm(5),
  };
}

/**
 * Norm of dL/dh_t against the time step t for simple networks of three spectral radii, an IRNN, and LSTMs whose forget gates
 * start half and wide open, all untrained (hidden 64, T 100), for L = Σ h_T · v with one random v. Writes
 * `docs/gradients-through-time.svg`.
 */
export const gradientsThroughTime: Benchmark = async report => {
  await tf.setBackend('ostinato-cpu');
  const rng = new Rng(1);
  const input = rng.split('input').normal([batch, time, sizes.inputSize]);
  const direction = rng.split('direction').normal([batch, sizes.hiddenSize]);
  const figures: Figures = {};
  const series: { name: string; norms: number[] }[] = [];
  for (const [name, cell] of Object.entries(cells(rng))) {
    const { norms } = await gradientThroughTime({
      cell,
      input,
      loss: (_, { hidden }) => tf.sum(tf.mul(hidden!, direction)),
    });
    const hidden = [...norms.get('hidden')!];
    series.push({ name, norms: hidden });
    const [first, middle, last] = [hidden[0]!, hidden[time / 2]!, hidden[time]!];
    const perStep = (middle / last) ** (2 / time);
    report(
      `${name}: ${perStep.toFixed(3)} per step over the last ${time / 2}, ${(first / last).toExponential(1)} over all`,
    );
    figures[name] = { first, middle, last, perStep };
    cell.dispose();
  }
  tf.dispose([input, direction]);
  const path = resolve(import.meta.dirname, '../docs/gradients-through-time.svg');
  writeFileSync(path, `${gradientNormPlot({ title: 'Gradients through time', series })}\n`);
  report(`wrote ${path}`);
  return figures;
};
