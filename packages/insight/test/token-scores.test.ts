import { ArgumentError } from '@ostinato/core';
import { tokenScoresFigure, tokenScoresText } from '@ostinato/insight';
import { DOMParser } from 'linkedom/worker';
import { describe, expect, it } from 'vitest';

const tokens = [
  { token: 'good', score: 2 },
  { token: '<but>', score: 0.1 },
  { token: 'long', score: -0.7 },
];

describe('tokenScoresFigure', () => {
  it('draws every token on a background as deep as its score', () => {
    const svg = tokenScoresFigure({ tokens, title: 'Why & what' });
    const document = new DOMParser().parseFromString(svg, 'image/svg+xml');
    const words = [...document.querySelectorAll('g text')].map(text => text.textContent);
    expect(words).toEqual(['good', '<but>', 'long']);
    const fills = [...document.querySelectorAll('g rect')].map(rect => [
      rect.getAttribute('fill'),
      Number(rect.getAttribute('fill-opacity')),
    ]);
    expect(fills[0]).toEqual(['#2f7ed8', 0.85]);
    expect(fills[1]![1]).toBeCloseTo(0.0425, 2);
    expect(fills[2]![0]).toBe('#e0612e');
    expect(svg).toContain('Why &#38; what');
    expect(svg).toContain('the strongest is good, 2.');
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  it('breaks lines, and keeps to XML', () => {
    const many = Array.from({ length: 60 }, (_, i) => ({ token: `word\u0000${i}`, score: 0 }));
    const svg = tokenScoresFigure({ tokens: many, width: 300 });
    const [, height] = /height="(\d+)" viewBox/.exec(svg)!;
    expect(Number(height)).toBeGreaterThan(400);
    expect(svg).not.toContain('\u0000');
    for (const [, x, width] of svg.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g)) {
      expect(Number(x) + Number(width)).toBeLessThanOrEqual(300);
    }
  });

  it('refuses what cannot be drawn', () => {
    expect(() => tokenScoresFigure({ tokens: [] })).toThrow(ArgumentError);
    expect(() => tokenScoresFigure({ tokens: [{ token: 'x', score: Number.NaN }] })).toThrow(/finite, got NaN of "x"/);
    expect(() => tokenScoresFigure({ tokens, scale: 0 })).toThrow(/scale/);
  });
});

describe('tokenScoresText', () => {
  it('marks tokens with signs, or colours', () => {
    expect(tokenScoresText({ tokens })).toBe('good+++ <but> long-');
    expect(tokenScoresText({ tokens, scale: 4 })).toBe('good++ <but> long-');
    expect(tokenScoresText({ tokens, colour: true })).toBe(
      '\u001b[48;5;69m\u001b[30mgood\u001b[0m <but> \u001b[48;5;223m\u001b[30mlong\u001b[0m',
    );
    expect(tokenScoresText({ tokens: [] })).toBe('');
  });
});
