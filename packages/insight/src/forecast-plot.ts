import * as Plot from '@observablehq/plot';
import { ArgumentError, checkNumber } from '@ostinato/core';
import { figure, seriesColour } from './figure.ts';
import type { FigureOptions } from './figure-options.ts';

/** A share of future values, and between which bounds it is expected. */
export interface ForecastBand {
  /** 0 … 1 */
  readonly coverage: number;
  readonly lower: readonly number[];
  readonly upper: readonly number[];
}

/** Options of `forecastPlot`. */
export interface ForecastPlotOptions extends FigureOptions {
  /** What is known, in order of time; its last value stands at time 0. */
  readonly history: readonly number[];
  /** How it goes on, at times 1, 2 … */
  readonly point: readonly number[];
  /** Intervals as long as `point`. Default: none. */
  readonly intervals?: readonly ForecastBand[] | undefined;
  /** Default `rows from now`. */
  readonly xLabel?: string | undefined;
  /** Default: none. */
  readonly yLabel?: string | undefined;
}

/**
 * A series and how it goes on: the forecast as a line, prediction intervals as bands around it, as an SVG document that stands alone.
 *
 * @throws ArgumentError when there is no forecast, an interval has another length, or a value is not finite
 */
export function forecastPlot({
  history,
  point,
  intervals = [],
  title = '',
  xLabel = 'rows from now',
  yLabel,
  width = 720,
  height = 400,
}: ForecastPlotOptions): string {
  const where = 'forecastPlot';
  checkNumber(where, 'width', width, { min: 200 });
  checkNumber(where, 'height', height, { min: 150 });
  if (point.length === 0) throw new ArgumentError({ where, rule: 'there must be a forecast', got: 'none' });
  const all = [history, point, ...intervals.flatMap(({ lower, upper }) => [lower, upper])];
  for (const { coverage, lower, upper } of intervals) {
    if (lower.length === point.length && upper.length === point.length) continue;
    const rule = `the interval of ${coverage} must have as many bounds as the forecast has values`;
    throw new ArgumentError({ where, rule, expected: `${point.length}`, got: `${lower.length} and ${upper.length}` });
  }
  for (const values of all) for (const value of values) checkNumber(where, 'a value', value);
  const past = history.map((value, i) => ({ x: i - history.length + 1, value }));
  const future = [...past.slice(-1), ...point.map((value, i) => ({ x: i + 1, value }))];
  const colour = seriesColour(1);
  const widestFirst = [...intervals].sort((a, b) => b.coverage - a.coverage);
  const bands = widestFirst.map(({ lower, upper }) =>
    Plot.areaY(
      lower.map((low, i) => ({ x: i + 1, low, high: upper[i]! })),
      { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.35 / widestFirst.length },
    ),
  );
  const shares = intervals.map(({ coverage }) => `${Number((100 * coverage).toPrecision(4))} %`).join(', ');
  const ends = `It begins with ${point[0]} and ends with ${point.at(-1)}.`;
  return figure({
    ...{ title, width, height },
    description: `A forecast of ${point.length} rows behind ${history.length} known ones. ${ends}`,
    x: { label: xLabel },
    y: { label: yLabel ?? '' },
    marks: [
      ...bands,
      Plot.line(past, { x: 'x', y: 'value', stroke: seriesColour(0), strokeWidth: 1.75 }),
      Plot.line(future, { x: 'x', y: 'value', stroke: colour, strokeWidth: 1.75 }),
    ],
    names: ['known', shares === '' ? 'forecast' : `forecast, intervals of ${shares}`],
  });
}
