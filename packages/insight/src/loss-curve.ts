import * as Plot from '@observablehq/plot';
import { ArgumentError, checkNumber } from '@ostinato/core';
import { figure, logarithmicTick, seriesColour } from './figure.ts';
import type { FigureOptions } from './figure-options.ts';
import { smooth } from './smooth.ts';

/** One measurement of a training run. */
export interface LossPoint {
  /** Number of optimizer steps taken. */
  readonly step: number;
  /** The loss, in the unit of `yLabel`. A value that is not finite leaves a gap. */
  readonly value: number;
}

/** A line of a loss curve. */
export interface LossSeries {
  readonly name: string;
  readonly points: readonly LossPoint[];
  /**
   * Weight of a value's neighbours in the average that is drawn (see `smooth`), 0 ≤ s < 1; the values themselves stay visible
   * as a pale line. Default 0.
   */
  readonly smoothing?: number | undefined;
}

/** Options of `lossCurve`. */
export interface LossCurveOptions extends FigureOptions {
  readonly series: readonly LossSeries[];
  /** Default `step`. */
  readonly xLabel?: string | undefined;
  /** Default `loss (nats per token)`. */
  readonly yLabel?: string | undefined;
  /** Logarithmic loss axis. Default false. */
  readonly logarithmic?: boolean | undefined;
}

const number = (value: number): string => String(Number(value.toPrecision(4)));

function describe(series: readonly LossSeries[]): string {
  const sentences = series.map(({ name, points }) => {
    const first = points[0]!;
    const last = points.at(-1)!;
    return `${name}: ${number(first.value)} at step ${first.step}, ${number(last.value)} at step ${last.step}.`;
  });
  return sentences.join(' ');
}

/**
 * Loss against training step, one line per series, as an SVG document.
 *
 * A series of at most 40 points (a validation loss) is drawn with a dot on each measurement.
 *
 * @returns standalone SVG text, the same for the same data in Node, in pages and in workers
 * @throws ArgumentError when there is no series, a series is empty, a step is not finite, no value is finite, smoothing is
 * outside [0, 1), or a logarithmic axis would have to show a value ≤ 0
 */
export function lossCurve({
  series,
  title = '',
  xLabel = 'step',
  yLabel = 'loss (nats per token)',
  logarithmic = false,
  width = 720,
  height = 400,
}: LossCurveOptions): string {
  checkNumber('lossCurve', 'width', width, { min: 200 });
  checkNumber('lossCurve', 'height', height, { min: 150 });
  if (series.length === 0) throw new ArgumentError({ where: 'lossCurve', rule: 'there must be a series', got: 'none' });
  for (const { name, points } of series) {
    const values = points.map(point => point.value).filter(Number.isFinite);
    if (values.length === 0) {
      throw new ArgumentError({
        where: 'lossCurve',
        rule: `series '${name}' must have a finite value`,
        got: `none in ${points.length} points`,
      });
    }
    for (const { step } of points) checkNumber('lossCurve', `a step of series '${name}'`, step);
    if (logarithmic && values.some(value => value <= 0)) {
      throw new ArgumentError({
        where: 'lossCurve',
        rule: `series '${name}' must be positive on a logarithmic axis`,
        got: number(Math.min(...values)),
      });
    }
  }
  const lines = series.flatMap(({ points, smoothing = 0 }, index) => {
    const stroke = seriesColour(index);
    const averages = smooth(
      points.map(point => point.value),
      smoothing,
    );
    const averaged = points.map(({ step }, i) => ({ step, value: averages[i]! }));
    const x = 'step';
    const y = 'value';
    return [
      smoothing > 0 ? Plot.lineY(points, { x, y, stroke, strokeWidth: 1, strokeOpacity: 0.3 }) : null,
      Plot.lineY(averaged, { x, y, stroke, strokeWidth: 2 }),
      points.length <= 40 ? Plot.dot(averaged, { x, y, fill: stroke, r: 2.5 }) : null,
    ];
  });
  return figure({
    title,
    width,
    height,
    description: describe(series),
    x: { label: xLabel },
    y: {
      label: yLabel,
      type: logarithmic ? 'log' : 'linear',
      nice: true,
      ...(logarithmic ? { tickFormat: logarithmicTick } : {}),
    },
    marks: lines,
    names: series.map(({ name, smoothing = 0 }) => (smoothing > 0 ? `${name} (pale: before smoothing)` : name)),
  });
}
