import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { tunesToHtml } from '../src/music/node/index.ts';
import { hornpipe, jig } from './music-tunes.ts';

// tests/browser/tunes-page.test.ts draws, plays and attacks the page in Chromium.
describe('tunesToHtml', () => {
  it('has every tune with its verdict, its source and its MIDI file', () => {
    const html = tunesToHtml([hornpipe, { abc: jig, remarks: ['From nowhere.'] }], { title: 'Two' });
    expect(html.match(/<article /g)).toHaveLength(2);
    expect(html).toContain('2 tunes, 2 valid ABC');
    expect(html).toContain('<li>From nowhere.</li>');
    expect(html.match(/href="data:audio\/midi;base64,TVRoZA/g)).toHaveLength(2); // base64 of MThd
    expect(html).toContain('Key Ador · 6/8 · 5 bars');
  });

  it('names no address to load from', () => {
    const markup = tunesToHtml([jig], { title: 'One' }).replace(/<script.*?<\/script>/gs, '');
    expect(markup.replace(/<pre>.*?<\/pre>/gs, '')).not.toMatch(/https?:/);
  });

  it('allows exactly the scripts that it holds', () => {
    const html = tunesToHtml([jig], { title: 'One' });
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, code]) => code!);
    expect(scripts).toHaveLength(3);
    for (const code of scripts) {
      expect(html).toContain(`'sha256-${createHash('sha256').update(code).digest('base64')}'`);
    }
  });

  it('escapes titles, sources, remarks and the heading', () => {
    const hostile = '</title></script><script>alert(1)</script>';
    const html = tunesToHtml([{ abc: `X:1\nT:${hostile}\nK:C\nabc|${hostile}`, remarks: [hostile] }], {
      title: hostile,
      introduction: hostile,
    });
    expect(html).not.toContain(hostile);
    expect(html.match(/<script/g)).toHaveLength(4);
  });

  it('puts the loss curve in as an image', () => {
    const html = tunesToHtml([], { title: 'None', lossCurveSvg: '<svg onload="alert(1)"/>' });
    expect(html).toContain('<img alt="Loss curve" src="data:image/svg+xml;base64,');
    expect(html).not.toContain('alert(1)');
  });
});
