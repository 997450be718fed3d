import { ArgumentError } from '@ostinato/core';
import { pictureAttention, pictureAttentionText } from '@ostinato/insight';
import { describe, expect, it } from 'vitest';

const data = {
  tokens: ['a', 'bar'],
  grid: [2, 3],
  weights: [
    [0, 0, 0.5, 0, 0, 0.5],
    [1, 0, 0, 0, 0, 0],
  ],
} as const;

describe('pictureAttention', () => {
  it('shows the picture once a word, clear where the word looked most', () => {
    const svg = pictureAttention({ ...data, picture: 'data:image/png;base64,AAAA', title: 'A bar' });
    expect(svg.match(/<image /g)).toHaveLength(2);
    expect(svg.match(/href="data:image\/png;base64,AAAA"/g)).toHaveLength(2);
    expect(svg.match(/fill-opacity="0"/g)).toHaveLength(3);
    expect(svg.match(/fill-opacity="0.85"/g)).toHaveLength(9);
    expect(svg).toContain('>bar<');
    expect(svg).not.toContain('NaN');
  });

  it('draws a word that looked nowhere, in columns as asked', () => {
    const weights = [data.weights[0], [0, 0, 0, 0, 0, 0]];
    expect(pictureAttention({ ...data, weights, picture: 'p.png', columns: 1 })).not.toContain('NaN');
  });

  it('draws a map a word in a terminal', () => {
    expect(pictureAttentionText(data)).toBe('a\n │    ██\n │    ██\n\nbar\n │██    \n │      ');
  });

  it('refuses what cannot be drawn', () => {
    const wrong = [
      { ...data, tokens: [], weights: [] },
      { ...data, tokens: ['a'] },
      { ...data, grid: [2, 2] as const },
      { ...data, weights: [data.weights[0], [1, 0, 0, 0, 0, -1]] },
      { ...data, weights: [data.weights[0], [1, 0, 0, 0, 0, Number.NaN]] },
    ];
    for (const one of wrong) {
      expect(() => pictureAttention({ ...one, picture: 'p.png' })).toThrow(ArgumentError);
      expect(() => pictureAttentionText(one)).toThrow(ArgumentError);
    }
  });
});
