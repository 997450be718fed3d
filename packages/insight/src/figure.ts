import * as Plot from '@observablehq/plot';
import type { Complete } from '@ostinato/core';
import { DOMParser } from 'linkedom/worker';
import type { FigureOptions } from './figure-options.ts';

/** Colours that stay apart for the colour-blind and are legible on the light and on the dark background below. */
const palette = ['#2f7ed8', '#e0612e', '#1f9e77', '#a35fd0', '#c2558f', '#8a8f2d'] as const;
interface Theme {
  readonly background: string;
  readonly text: string;
}

/** Colours of a page that is light. */
export const lightTheme: Theme = { background: '#ffffff', text: '#24292f' };
/** Colours for viewers that prefer dark. */
export const darkTheme: Theme = { background: '#16191f', text: '#dfe3ea' };

/** The colour of series `index`; after the last colour the palette starts again. */
export function seriesColour(index: number): string {
  return palette[index % palette.length]!;
}

const superscripts: Readonly<Record<string, string>> = { '-': '⁻', ...Object.fromEntries([...'⁰¹²³⁴⁵⁶⁷⁸⁹'].entries()) };

/** A tick of a logarithmic axis: 10⁻³ for 0.001, 1000 and the powers of ten beyond, the plain number otherwise. */
export function logarithmicTick(value: number): string {
  const exponent = Math.log10(value);
  if (!Number.isInteger(exponent) || Math.abs(exponent) < 3) return String(Number(value.toPrecision(2)));
  return `10${[...String(exponent)].map(character => superscripts[character]).join('')}`;
}

/** What a figure is drawn from. */
interface FigureParts extends Complete<FigureOptions> {
  /** Read out by a screen reader instead of the picture. */
  readonly description: string;
  readonly x: Plot.ScaleOptions;
  readonly y: Plot.ScaleOptions;
  readonly color?: Plot.ScaleOptions | undefined;
  readonly marks: readonly Plot.Markish[];
  /** Names of the series, in the order of their colours. */
  readonly names: readonly string[];
}

const margin = { right: 24, bottom: 46, left: 72 } as const;

/** Estimated width in pixels of text at 12.5 px: there is no font to measure outside a browser. */
const textWidth = (text: string): number => 7 * [...text].length;

/** One row above the frame: a coloured dot and the name of each series; none for a single series. */
function legendMarks(names: readonly string[]): Plot.Markish[] {
  if (names.length < 2) return [];
  let left = 6 - margin.left + 18;
  return names.flatMap((name, index) => {
    const dx = left;
    left += textWidth(name) + 34;
    return [
      Plot.dot([0], { frameAnchor: 'top-left', dx, dy: -20, r: 4.5, fill: seriesColour(index) }),
      Plot.text([name], { frameAnchor: 'top-left', dx: dx + 10, dy: -26, fontSize: 12.5 }),
    ];
  });
}

/**
 * Draws a figure with Observable Plot and returns it as an SVG document that stands alone: a background of its own, so that
 * it can be read on any page, and a dark variant for viewers that prefer dark (`prefers-color-scheme`).
 *
 * Plot builds its output with DOM calls. linkedom answers them in Node, in workers and in pages alike, so the same data
 * gives the same bytes everywhere.
 */
export function figure({ title, width, height, description, x, y, color, marks, names }: FigureParts): string {
  // linkedom has the part of the DOM that Plot calls, under types of its own.
  const document = new DOMParser().parseFromString('<svg/>', 'image/svg+xml') as unknown as Document;
  const titleHeight = title === '' ? 0 : 30;
  const legendHeight = names.length < 2 ? 0 : 26;
  const svg = Plot.plot({
    document,
    width,
    height,
    marginTop: 16 + titleHeight + legendHeight,
    marginRight: margin.right,
    marginBottom: margin.bottom,
    marginLeft: margin.left,
    ariaLabel: title === '' ? 'Figure' : title,
    ariaDescription: description,
    style: { fontSize: '12px', color: lightTheme.text, background: 'none' },
    x: { tickSize: 0, labelArrow: 'none', labelAnchor: 'center', labelOffset: margin.bottom - 8, ...x },
    y: { grid: true, tickSize: 0, labelArrow: 'none', labelAnchor: 'center', labelOffset: margin.left - 14, ...y },
    ...(color ? { color } : {}),
    marks: [
      ...marks,
      ...legendMarks(names),
      title === ''
        ? null
        : Plot.text([title], {
            frameAnchor: 'top-left',
            dx: 18 - margin.left,
            dy: -(titleHeight + legendHeight),
            fontSize: 16,
            fontWeight: 600,
          }),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  const background = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  const attributes = { class: 'background', width: '100%', height: '100%', fill: lightTheme.background };
  for (const [name, value] of Object.entries(attributes)) background.setAttribute(name, value);
  const style = document.createElementNS('http://www.w3.org/2000/svg', 'style');
  style.textContent =
    `@media (prefers-color-scheme: dark) { svg { color: ${darkTheme.text} !important } ` +
    `.background { fill: ${darkTheme.background} } }`;
  svg.insertBefore(background, svg.firstChild);
  svg.insertBefore(style, svg.firstChild);
  return svg.outerHTML;
}
