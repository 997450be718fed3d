import * as Plot from '@observablehq/plot';
import { ArgumentError, checkNumber } from '@ostinato/core';
import { figure } from './figure.ts';
import type { FigureOptions } from './figure-options.ts';

/** Options of `heatmap`. */
export interface HeatmapOptions extends FigureOptions {
  /** Row by row, from the top. NaN leaves a cell empty. */
  readonly values: readonly (readonly number[])[];
  /** Names of the rows, one each. Default: their numbers from 0. */
  readonly rows?: readonly string[] | undefined;
  /** Names of the columns, one each: time steps, tokens. Default: their numbers from 0. */
  readonly columns?: readonly string[] | undefined;
  /** The values of the ends of the colour scale; what lies beyond has the colour of the end. Default: the least and the largest value. */
  readonly range?: readonly [number, number] | undefined;
  readonly xLabel?: string | undefined;
  readonly yLabel?: string | undefined;
}

/** Shades of a terminal from least to most. */
const shades = ' ░▒▓█';

/** Names made different for a band scale, which would join equal ones: by zero-width joiners, which nobody sees. */
function distinct(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map(name => {
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return name + '\u200d'.repeat(before);
  });
}

interface Table {
  readonly values: readonly (readonly number[])[];
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly range: readonly [number, number];
}

function checkTable(
  where: string,
  { values, rows, columns, range }: Pick<HeatmapOptions, 'values' | 'rows' | 'columns' | 'range'>,
): Table {
  const width = values[0]?.length ?? 0;
  if (width === 0) {
    throw new ArgumentError({
      where,
      rule: 'values must have a row and a column',
      got: `${values.length} rows, 0 columns`,
    });
  }
  const ragged = values.findIndex(row => row.length !== width);
  if (ragged >= 0) {
    const got = `${values[ragged]!.length} in row ${ragged}`;
    throw new ArgumentError({ where, rule: 'rows must be of one length', expected: String(width), got });
  }
  for (const [name, names, count] of [
    ['rows', rows, values.length],
    ['columns', columns, width],
  ] as const) {
    if (names === undefined || names.length === count) continue;
    throw new ArgumentError({
      where,
      rule: `${name} must have one name each`,
      expected: String(count),
      got: String(names.length),
    });
  }
  const finite = values.flat().filter(Number.isFinite);
  if (finite.length === 0) throw new ArgumentError({ where, rule: 'a value must be finite', got: 'none' });
  const [low, high] = range ?? [
    finite.reduce((least, value) => Math.min(least, value)),
    finite.reduce((most, value) => Math.max(most, value)),
  ];
  checkNumber(where, 'range', high, { min: low });
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
  return { values, rows: rows ?? numbers(values.length), columns: columns ?? numbers(width), range: [low, high] };
}

/**
 * A table of numbers as colours, as an SVG document: attention weights, states and gates over time, similarities.
 *
 * @returns standalone SVG text, the same for the same data in Node, in pages and in workers
 * @throws ArgumentError when rows differ in length, names are missing, or no value is finite
 */
export function heatmap({ title = '', xLabel, yLabel, width = 720, height, ...table }: HeatmapOptions): string {
  const { values, rows, columns, range } = checkTable('heatmap', table);
  checkNumber('heatmap', 'width', width, { min: 200 });
  const [rowNames, columnNames] = [distinct(rows), distinct(columns)];
  const cells = values.flatMap((row, r) =>
    row.map((value, c) => ({
      row: rowNames[r]!,
      column: columnNames[c]!,
      value: Number.isFinite(value) ? value : Number.NaN,
    })),
  );
  const [low, high] = range;
  // Around zero two colours, else one from pale to full.
  const diverges = low < 0 && high > 0;
  const extent = Math.max(-low, high);
  // Names that would cover each other are left out.
  const every = (names: readonly string[], room: number, needed: number): string[] => {
    const step = Math.ceil((names.length * needed) / room);
    return names.filter((_, i) => i % step === 0);
  };
  const tall = height ?? Math.max(150, Math.min(720, 110 + 22 * rows.length));
  const longest = Math.max(...columns.map(name => [...name].length));
  const named = longest > 3;
  return figure({
    ...{ title, width, height: tall, names: [] },
    description: `${rows.length} rows, ${columns.length} columns, values from ${low.toPrecision(3)} to ${high.toPrecision(3)}.`,
    x: {
      ...{ type: 'band', domain: columnNames, label: xLabel ?? null, padding: 0 },
      ...{ ticks: every(columnNames, width - 110, named ? 14 : 10 + 7 * longest), tickRotate: named ? -40 : 0 },
    },
    y: {
      type: 'band',
      domain: rowNames,
      label: yLabel ?? null,
      padding: 0,
      grid: false,
      ticks: every(rowNames, tall - 100, 14),
    },
    color: diverges
      ? { type: 'linear', scheme: 'PuOr', domain: [-extent, extent], clamp: true }
      : { type: 'linear', scheme: 'YlGnBu', domain: [low, high === low ? low + 1 : high], clamp: true },
    marks: [Plot.cell(cells, { x: 'column', y: 'row', fill: 'value', inset: 0.5 })],
  });
}

/**
 * The same in a terminal: a line a row, two characters a cell from ` ` (least) to `█` (most).
 *
 * @returns lines of text without a last line break
 * @throws as `heatmap`
 */
export function heatmapText(options: Pick<HeatmapOptions, 'values' | 'rows' | 'columns' | 'range'>): string {
  const { values, rows, columns, range } = checkTable('heatmapText', options);
  const [low, high] = range;
  const widest = Math.max(...rows.map(name => [...name].length));
  const pad = (name: string): string => ' '.repeat(widest - [...name].length) + name;
  const shade = (value: number): string => {
    if (!Number.isFinite(value)) return '· ';
    const part = high === low ? 0 : Math.min(1, Math.max(0, (value - low) / (high - low)));
    return shades[Math.round(part * (shades.length - 1))]!.repeat(2);
  };
  const lines = values.map((row, r) => `${pad(rows[r]!)} │${row.map(shade).join('')}`);
  if (options.columns === undefined) return lines.join('\n');
  const legend = columns.map((name, c) => `${pad('')}  ${'  '.repeat(c)}└ ${name}`).toReversed();
  return [...lines, ...legend].join('\n');
}
