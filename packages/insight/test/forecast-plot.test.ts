import { ArgumentError } from '@ostinato/core';
import { forecastPlot } from '@ostinato/insight';
import { describe, expect, it } from 'vitest';

const history = [3, 4, 5, 4];
const interval = { coverage: 0.8, lower: [4, 3], upper: [6, 7] };

describe('forecastPlot', () => {
  it('draws what is known, the forecast and a band for each interval', () => {
    const svg = forecastPlot({
      history,
      point: [5, 5],
      intervals: [interval, { ...interval, coverage: 0.95 }],
      title: 'Sales',
    });
    expect(svg).toMatch(/^<svg/);
    expect(svg.match(/aria-label="area"/g)).toHaveLength(2);
    expect(svg.match(/aria-label="line"/g)).toHaveLength(2);
    expect(svg).toContain('forecast, intervals of 80 %, 95 %');
    expect(svg).not.toContain('NaN');
  });

  it('draws without a past and without intervals', () => {
    expect(forecastPlot({ history: [], point: [1, 2] })).toContain('<svg');
  });

  it('refuses what cannot be drawn', () => {
    const wrong = [
      { history, point: [] },
      { history, point: [1], intervals: [interval] },
      { history: [Number.NaN], point: [1] },
    ];
    for (const options of wrong) expect(() => forecastPlot(options)).toThrow(ArgumentError);
  });
});
