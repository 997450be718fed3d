import { describe, expect, it } from 'vitest';
import { heatmap, heatmapText } from '../src/index.ts';

const values = [
  [0, 1],
  [0.5, Number.NaN],
];

describe('heatmap', () => {
  it('draws a cell for every value, with the names of rows and columns, also where names are the same', () => {
    const svg = heatmap({
      title: 'Who sees whom',
      values,
      rows: ['a', 'a'],
      columns: ['the', 'the'],
      xLabel: 'source',
    });
    expect(svg).toMatch(/^<svg/);
    expect(svg).toContain('Who sees whom');
    expect(svg.match(/<rect [^>]*fill="(?:rgb|#)/g)?.length).toBeGreaterThanOrEqual(3);
    expect(svg).toContain('2 rows, 2 columns, values from 0.00 to 1.00.');
    expect(heatmap({ values })).toBe(heatmap({ values }));
  });

  it('has two colours around zero, and clamps to its range', () => {
    const colours = (range: [number, number]): string[] =>
      [...heatmap({ values: [[-1, 0, 1, 5]], range }).matchAll(/<rect [^>]*fill="(rgb[^"]*|#[^"]*)"/g)].map(
        match => match[1]!,
      );
    const cells = colours([-1, 1]).slice(-4);
    expect(new Set(cells).size).toBe(3);
    expect(cells[2]).toBe(cells[3]);
  });

  it('is refused without values, with ragged rows, or with names that are missing', () => {
    expect(() => heatmap({ values: [] })).toThrow('heatmap: values must have a row and a column');
    expect(() => heatmap({ values: [[1], [1, 2]] })).toThrow('rows must be of one length, expected 1, got 2 in row 1');
    expect(() => heatmap({ values: [[1]], columns: [] })).toThrow('columns must have one name each, expected 1, got 0');
    expect(() => heatmap({ values: [[Number.NaN]] })).toThrow('a value must be finite');
  });
});

describe('heatmapText', () => {
  it('has a line a row and shades from least to most', () => {
    expect(heatmapText({ values })).toBe('0 │  ██\n1 │▒▒· ');
    expect(heatmapText({ values: [[0, 1]], rows: ['er'], columns: ['he', 'is'] })).toBe(
      'er │  ██\n      └ is\n    └ he',
    );
  });

  it('shows equal values as the least', () => {
    expect(heatmapText({ values: [[2, 2]] })).toBe('0 │    ');
  });
});
