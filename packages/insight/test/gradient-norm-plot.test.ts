import { DOMParser } from 'linkedom/worker';
import { describe, expect, it } from 'vitest';
import { gradientNormPlot } from '../src/index.ts';

const texts = (svg: string): (string | null)[] =>
  [...new DOMParser().parseFromString(svg, 'image/svg+xml').querySelectorAll('text')].map(text => text.textContent);
const vanishing = Array.from({ length: 36 }, (_, t) => 2 ** (t - 35));

describe('gradientNormPlot', () => {
  it('has a logarithmic axis with powers of ten', () => {
    const svg = gradientNormPlot({ series: [{ name: 'RNN', norms: vanishing }] });
    expect(texts(svg)).toEqual(expect.arrayContaining(['10⁻⁴', '10⁻¹⁰', 'time step t']));
  });

  it('draws exponential decay as a straight line', () => {
    const svg = gradientNormPlot({ series: [{ name: 'RNN', norms: vanishing }] });
    const path = new DOMParser().parseFromString(svg, 'image/svg+xml').querySelector('g[aria-label="line"] path');
    const line: string = path!.getAttribute('d')!;
    const points = line
      .slice(1)
      .split('L')
      .map(pair => pair.split(',').map(Number));
    const slopes = points.slice(1).map(([x, y], i) => (y! - points[i]![1]!) / (x! - points[i]![0]!));
    expect(slopes).toHaveLength(35);
    for (const slope of slopes) expect(slope).toBeCloseTo(slopes[0]!, 1);
  });

  it('survives exact zeros and overflow', () => {
    const svg = gradientNormPlot({ series: [{ name: 'RNN', norms: [0, 1e-20, 1e-3, 1, Number.POSITIVE_INFINITY] }] });
    expect(svg).not.toMatch(/NaN|Infinity(?! at step)/);
  });

  it('has a linear axis from zero on request', () => {
    const svg = gradientNormPlot({ series: [{ name: 'LSTM', norms: [0.5, 1, 2] }], logarithmic: false });
    expect(texts(svg)).toContain('0.0');
  });

  it('refuses series without norms, and negative norms', () => {
    expect(() => gradientNormPlot({ series: [] })).toThrow('there must be a series');
    expect(() => gradientNormPlot({ series: [{ name: 'a', norms: [] }] })).toThrow(
      "series 'a' must have a finite norm",
    );
    expect(() => gradientNormPlot({ series: [{ name: 'a', norms: [1, -1] }] })).toThrow('must be ≥ 0, got -1');
  });
});
