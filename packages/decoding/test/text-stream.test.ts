import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopMatcher, TextStream } from '../src/text-stream.ts';

/** The text before the stop string that is complete first, looked for in the whole text. */
function cut(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter(stop => text.slice(0, end).endsWith(stop));
    if (found.length > 0)
      return { text: text.slice(0, end - Math.max(...found.map(stop => stop.length))), stopped: true };
  }
  return { text, stopped: false };
}

describe('StopMatcher', () => {
  it('holds back what may begin a stop string', () => {
    const matcher = new StopMatcher(['\n\n', 'END']);
    expect(matcher.push('a\n')).toEqual({ text: 'a', stopped: false });
    expect(matcher.push('bE')).toEqual({ text: '\nb', stopped: false });
    expect(matcher.push('N')).toEqual({ text: '', stopped: false });
    expect(matcher.push('X')).toEqual({ text: 'ENX', stopped: false });
    expect(matcher.push('yE')).toEqual({ text: 'y', stopped: false });
    expect(matcher.push('ND of it')).toEqual({ text: '', stopped: true });
  });

  it('gives what it held at the end', () => {
    const matcher = new StopMatcher(['END']);
    expect(matcher.push('the EN').text + matcher.finish()).toBe('the EN');
  });

  it('cuts at the same place however the text is divided, and never shows too much', () => {
    const piece = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 4 });
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(piece), fc.array(stop, { maxLength: 3 }), (pieces, stops) => {
        const wanted = cut(pieces.join(''), stops);
        const matcher = new StopMatcher(stops);
        let text = '';
        let stopped = false;
        for (const each of pieces) {
          const result = matcher.push(each);
          text += result.text;
          expect(wanted.text.startsWith(text)).toBe(true);
          stopped = result.stopped;
          if (stopped) break;
        }
        if (!stopped) text += matcher.finish();
        expect({ text, stopped }).toEqual(wanted);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('TextStream', () => {
  it('puts the space between a prompt and its continuation', () => {
    const words = ['the', 'cat', 'sat'];
    const stream = new TextStream(ids => Array.from(ids, id => words[id]).join(' '), [0], []);
    expect([stream.push(1).text, stream.push(2).text, stream.finish().text]).toEqual([' cat', ' sat', '']);
  });

  it('waits for the rest of a character', () => {
    const bytes = new TextEncoder().encode('é😀!');
    const decode = (ids: Int32Array): string =>
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(ids));
    const stream = new TextStream(decode, [0x61], []);
    expect(Array.from(bytes, byte => stream.push(byte).text)).toEqual(['', 'é', '', '', '', '😀', '!']);
    stream.push(0xf0);
    expect(stream.finish().text).toBe('\ufffd');
  });

  it('looks at a few tokens only, however long the text', () => {
    let longest = 0;
    const decode = (ids: Int32Array): string => {
      longest = Math.max(longest, ids.length);
      return String.fromCharCode(...ids);
    };
    const stream = new TextStream(decode, Array<number>(1000).fill(97), []);
    let text = '';
    for (let i = 0; i < 1000; i++) text += stream.push(97 + (i % 26)).text;
    expect(text).toBe(Array.from({ length: 1000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join(''));
    expect(longest).toBeLessThan(10);
  });
});
