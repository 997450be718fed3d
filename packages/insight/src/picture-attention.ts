import * as Plot from '@observablehq/plot';
import { ArgumentError, checkNumber } from '@ostinato/core';
import { figure, seriesColour } from './figure.ts';
import type { FigureOptions } from './figure-options.ts';
import { heatmapText } from './heatmap.ts';

/** Where words looked in a picture. */
export interface PictureAttentionData {
  /** Words in order, one for each row of `weights`. */
  readonly tokens: readonly string[];
  /** Rows and columns into which the picture is divided. */
  readonly grid: readonly [rows: number, columns: number];
  /** For each word a weight ≥ 0 for each place, row after row of the picture. */
  readonly weights: readonly (readonly number[])[];
}

/** Options of `pictureAttention`. */
export interface PictureAttentionOptions extends PictureAttentionData, Omit<FigureOptions, 'height'> {
  /** Address of the picture as the model saw it, a square: a path, or a `data:` URL, with which the figure stands alone. */
  readonly picture: string;
  /** Pictures side by side. Default 4. */
  readonly columns?: number | undefined;
}

function check(where: string, { tokens, grid, weights }: PictureAttentionData): void {
  for (const length of grid) checkNumber(where, 'a length of the grid', length, { integer: true, min: 1 });
  if (tokens.length === 0) throw new ArgumentError({ where, rule: 'there must be a word', got: 'none' });
  if (weights.length !== tokens.length) {
    const [expected, got] = [`${tokens.length}`, `${weights.length}`];
    throw new ArgumentError({ where, rule: 'weights must have a row for each word', expected, got });
  }
  const places = grid[0] * grid[1];
  weights.forEach((row, i) => {
    if (row.length !== places) {
      const rule = `row ${i} of weights must have a weight for each place`;
      throw new ArgumentError({ where, rule, expected: `${places}`, got: `${row.length}` });
    }
    for (const weight of row) checkNumber(where, `a weight in row ${i}`, weight, { min: 0 });
  });
}

/**
 * A picture once for each word of its caption, covered where the word did not look, as an SVG document: the place with the largest weight
 * of a word is clear, one of weight 0 is darkest (Xu et al. 2015, arXiv:1502.03044, fig. 3).
 *
 * @throws ArgumentError when there is no word, weights are negative or not finite, or there are not as many as places
 */
export function pictureAttention({
  picture,
  title = '',
  width = 720,
  columns = 4,
  ...data
}: PictureAttentionOptions): string {
  const where = 'pictureAttention';
  check(where, data);
  checkNumber(where, 'width', width, { min: 200 });
  checkNumber(where, 'columns', columns, { integer: true, min: 1 });
  const { tokens, grid, weights } = data;
  const [rows, places] = grid;
  const [gap, label] = [0.06, 0.18];
  const across = Math.min(columns, tokens.length);
  const down = Math.ceil(tokens.length / across);
  const at = tokens.map((_, i) => ({ x: (i % across) * (1 + gap), y: Math.floor(i / across) * (1 + label + gap) }));
  const [wide, high] = [across * (1 + gap) - gap, down * (1 + label + gap) - gap];
  const inner = width - 96;
  const pixel = inner / wide;
  const covers = weights.flatMap((row, i) => {
    const most = Math.max(...row, Number.MIN_VALUE);
    return row.map((weight, place) => {
      const [r, c] = [Math.floor(place / places), place % places];
      const { x, y } = at[i]!;
      return {
        ...{ x1: x + c / places, x2: x + (c + 1) / places },
        ...{ y1: y + label + r / rows, y2: y + label + (r + 1) / rows, cover: 0.85 * (1 - weight / most) },
      };
    });
  });
  return figure({
    ...{ title, width, height: pixel * high + 62 + (title === '' ? 0 : 30), names: [] },
    description: `${tokens.length} words, each with the picture where it looked: ${tokens.join(' ')}.`,
    x: { axis: null, domain: [0, wide] },
    y: { axis: null, domain: [high, 0], grid: false },
    marks: [
      Plot.image(at, {
        ...{ x: ({ x }: { x: number }) => x + 0.5, y: ({ y }: { y: number }) => y + label + 0.5 },
        ...{
          width: pixel,
          height: pixel,
          src: () => picture,
          preserveAspectRatio: 'none',
          imageRendering: 'pixelated',
        },
      }),
      Plot.rect(covers, { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', fill: '#10131a', fillOpacity: 'cover' }),
      Plot.text(at, {
        ...{ x: ({ x }: { x: number }) => x + 0.5, y: ({ y }: { y: number }) => y + label / 2 },
        ...{ text: (_: unknown, i: number) => tokens[i]!, fontSize: 13, fontWeight: 600, fill: seriesColour(0) },
      }),
    ],
  });
}

/**
 * The same in a terminal: for each word a map of its weights, two characters a place from ` ` (0) to `█` (the word's largest).
 *
 * @returns lines of text without a last line break
 * @throws as `pictureAttention`
 */
export function pictureAttentionText(data: PictureAttentionData): string {
  check('pictureAttentionText', data);
  const { tokens, grid, weights } = data;
  const [rows, columns] = grid;
  const blocks = weights.map((row, i) => {
    const values = Array.from({ length: rows }, (_, r) => row.slice(r * columns, (r + 1) * columns));
    const range = [0, Math.max(...row, Number.MIN_VALUE)] as const;
    return `${tokens[i]}\n${heatmapText({ values, range, rows: values.map(() => '') })}`;
  });
  return blocks.join('\n\n');
}
