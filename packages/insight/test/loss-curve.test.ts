import { isOstinatoError } from '@ostinato/core';
import { DOMParser } from 'linkedom/worker';
import { describe, expect, it } from 'vitest';
import { lossCurve } from '../src/index.ts';

const train = Array.from({ length: 100 }, (_, step) => ({ step, value: 4 * 0.95 ** step }));
const valid = [0, 50, 99].map(step => ({ step, value: 4 * 0.96 ** step }));
const parse = (svg: string) => new DOMParser().parseFromString(svg, 'image/svg+xml');

describe('lossCurve', () => {
  it('is one SVG element that declares its namespace and size', () => {
    const svg = lossCurve({ series: [{ name: 'train', points: train }], width: 500, height: 300 });
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg.match(/<svg/g)).toHaveLength(1);
    const root = parse(svg).documentElement!;
    expect([root.getAttribute('width'), root.getAttribute('height')]).toEqual(['500', '300']);
  });

  it('draws a line per series, dots on short ones, and a pale line under a smoothed one', () => {
    const series = [
      { name: 'train', points: train, smoothing: 0.9 },
      { name: 'valid', points: valid },
    ];
    const root = parse(lossCurve({ series }));
    expect(root.querySelectorAll('g[aria-label="line"]')).toHaveLength(3);
    expect(root.querySelectorAll('g[aria-label="dot"] circle')).toHaveLength(valid.length + series.length); // and the legend
    const texts = [...root.querySelectorAll('text')].map(text => text.textContent);
    expect(texts).toEqual(
      expect.arrayContaining(['train (pale: before smoothing)', 'valid', 'step', 'loss (nats per token)']),
    );
  });

  it('reads on white and on dark: a background and colours of its own', () => {
    const svg = lossCurve({ series: [{ name: 'train', points: train }] });
    expect(svg).toContain('class="background"');
    expect(svg).toContain('color:#24292f');
    expect(svg).toContain('prefers-color-scheme: dark');
  });

  it('escapes names and titles, in text and in attributes', () => {
    const hostile = '</text><script>alert(1)</script> & "quotes"';
    const svg = lossCurve({
      title: hostile,
      series: [
        { name: hostile, points: train },
        { name: 'b', points: valid },
      ],
    });
    expect(svg).not.toContain('<script');
    expect([...parse(svg).querySelectorAll('text')].map(text => text.textContent)).toContain(hostile);
  });

  it('gives the same text for the same data', () => {
    const options = { series: [{ name: 'train', points: train, smoothing: 0.5 }] };
    expect(lossCurve(options)).toBe(lossCurve(options));
  });

  it('leaves a gap where a value is not finite', () => {
    const points = [1, 2, Number.NaN, 4, 5].map((value, step) => ({ step, value }));
    const line = parse(lossCurve({ series: [{ name: 'a', points }] })).querySelector('g[aria-label="line"] path');
    expect(line!.getAttribute('d')!.match(/M/g)).toHaveLength(2);
    expect(line!.getAttribute('d')).not.toContain('NaN');
  });

  it.each([
    ['no series', { series: [] }, 'lossCurve: there must be a series, got none.'],
    ['an empty series', { series: [{ name: 'a', points: [] }] }, "series 'a' must have a finite value"],
    [
      'a step that is NaN',
      { series: [{ name: 'a', points: [{ step: Number.NaN, value: 1 }] }] },
      "a step of series 'a'",
    ],
    [
      'zero on a log axis',
      { series: [{ name: 'a', points: [{ step: 0, value: 0 }] }], logarithmic: true },
      'must be positive on a logarithmic axis',
    ],
    ['smoothing 1', { series: [{ name: 'a', points: train, smoothing: 1 }] }, 'smoothing must be'],
  ])('refuses %s', (_, options, message) => {
    expect(() => lossCurve(options)).toThrow(message);
    expect(() => lossCurve(options)).toThrow(expect.toSatisfy(isOstinatoError));
  });
});
