import * as Plot from '@observablehq/plot';
import { ArgumentError, checkNumber } from '@ostinato/core';
import { figure, logarithmicTick, seriesColour } from './figure.ts';
import type { FigureOptions } from './figure-options.ts';

/** The gradient of one model through time. */
export interface GradientNormSeries {
  readonly name: string;
  /** ‖∂L/∂hₜ‖₂ for t = 0 … T−1. */
  readonly norms: readonly number[];
}

/** Options of `gradientNormPlot`. */
export interface GradientNormPlotOptions extends FigureOptions {
  readonly series: readonly GradientNormSeries[];
  /** Default `time step t`. */
  readonly xLabel?: string | undefined;
  /** Default `gradient norm ‖∂L/∂hₜ‖`. */
  readonly yLabel?: string | undefined;
  /** Logarithmic norm axis: a straight line is exponential vanishing or explosion. Default true. */
  readonly logarithmic?: boolean | undefined;
}

/** Norms below this are drawn at it: float32 itself ends near 1e-45, and one exact zero has no logarithm. */
const smallestNorm = 1e-12;

/**
 * Norm of the loss gradient with respect to the hidden state at each time step, one line per series, as an SVG document.
 * A line that falls to the left is a gradient that vanishes on its way back through time, one that rises explodes
 * (Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063, section 2).
 *
 * On the logarithmic axis a norm below 1e-12, zero included, is drawn at 1e-12. A norm that is not finite (an overflow)
 * leaves a gap.
 *
 * @returns standalone SVG text, the same for the same data in Node, in pages and in workers
 * @throws ArgumentError when there is no series, or a series is empty, has no finite norm or a negative one
 */
export function gradientNormPlot({
  series,
  title = '',
  xLabel = 'time step t',
  yLabel = 'gradient norm ‖∂L/∂hₜ‖',
  logarithmic = true,
  width = 720,
  height = 400,
}: GradientNormPlotOptions): string {
  checkNumber('gradientNormPlot', 'width', width, { min: 200 });
  checkNumber('gradientNormPlot', 'height', height, { min: 150 });
  if (series.length === 0) {
    throw new ArgumentError({ where: 'gradientNormPlot', rule: 'there must be a series', got: 'none' });
  }
  for (const { name, norms } of series) {
    const where = 'gradientNormPlot';
    if (!norms.some(Number.isFinite)) {
      const rule = `series '${name}' must have a finite norm`;
      throw new ArgumentError({ where, rule, got: `none in ${norms.length} time steps` });
    }
    const negative = norms.find(norm => norm < 0);
    if (negative !== undefined) {
      throw new ArgumentError({ where, rule: `norms of series '${name}' must be ≥ 0`, got: String(negative) });
    }
  }
  const marks = series.flatMap(({ norms }, index) => {
    const stroke = seriesColour(index);
    const points = norms.map((norm, time) => ({
      time,
      norm: Number.isFinite(norm) ? Math.max(norm, logarithmic ? smallestNorm : 0) : Number.NaN,
    }));
    return [
      Plot.lineY(points, { x: 'time', y: 'norm', stroke, strokeWidth: 2 }),
      norms.length <= 40 ? Plot.dot(points, { x: 'time', y: 'norm', fill: stroke, r: 2.5 }) : null,
    ];
  });
  const description = series
    .map(({ name, norms }) => {
      const [first, last] = [norms[0]!, norms.at(-1)!].map(norm => norm.toExponential(1));
      return `${name}: ${first} at step 0, ${last} at step ${norms.length - 1}.`;
    })
    .join(' ');
  return figure({
    title,
    width,
    height,
    description,
    x: { label: xLabel },
    y: logarithmic
      ? { label: yLabel, type: 'log', nice: true, tickFormat: logarithmicTick, ticks: 6 }
      : { label: yLabel, zero: true, nice: true },
    marks,
    names: series.map(({ name }) => name),
  });
}
