import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cleanAbc,
  isCopy,
  joinTunes,
  noteBody,
  novelty,
  parseTune,
  readTune,
  splitTunes,
  validateTune,
} from '../src/music/index.ts';
import { hornpipe, irishCollection, jig } from './music-tunes.ts';

const collection = irishCollection();

describe('cleanAbc', () => {
  it('strips the old line-break mark, and keeps a decoration at the end of a line', () => {
    expect(cleanAbc('abc|!\r\ndef|! \n!fermata!g !trill!\na!fermata!b!')).toBe(
      'abc|\ndef|\n!fermata!g !trill!\na!fermata!b',
    );
  });
});

describe('readTune', () => {
  it('parts header and body at the K: field, and lists repeated fields', () => {
    const tune = readTune('X:1\nT:One\n%comment\nT: Two \nM:4/4\nK:G\nGABc|\nw:la la\nK:D\nd4|');
    expect(tune.title).toBe('One');
    expect(tune.fields.get('T')).toEqual(['One', 'Two']);
    expect(tune.fields.get('K')).toEqual(['G']);
    expect(tune.body).toBe('GABc|\nw:la la\nK:D\nd4|');
  });

  it('takes text without a header as body', () => {
    expect(readTune('GABc|dcBA|')).toMatchObject({ title: '', body: 'GABc|dcBA|' });
    expect(readTune('').body).toBe('');
  });
});

describe('splitTunes and joinTunes', () => {
  it('splits at X: and ends a tune at a blank line', () => {
    const tunes = splitTunes(`some preface\n\n${hornpipe}\n\nwords between\n\n${jig}\nX:3\nT:Third\nK:C\nc|\n`);
    expect(tunes.map(tune => tune.title)).toEqual(['Test Hornpipe', 'Test Jig', 'Third']);
    expect(tunes[0]!.abc).toBe(hornpipe);
  });

  it('puts the directives above the first tune into each', () => {
    const tunes = splitTunes(`%%MIDI program 40\n\n${hornpipe}\n\n${jig}`);
    for (const { abc } of tunes) expect(abc).toMatch(/^%%MIDI program 40\nX:/);
  });

  it('has no tunes in blank text, and one in text without X:', () => {
    expect(splitTunes(' \n\n ')).toEqual([]);
    expect(splitTunes('GABc|')).toHaveLength(1);
  });

  it('numbers what it joins, and splits it again into the same tunes', () => {
    const text = joinTunes([jig, readTune(hornpipe), 'K:C\nabc|']);
    const tunes = splitTunes(text);
    expect(tunes.map(tune => tune.fields.get('X'))).toEqual([['1'], ['2'], ['3']]);
    expect(tunes.map(tune => tune.body)).toEqual([readTune(jig).body, readTune(hornpipe).body, 'abc|']);
  });
});

describe('parseTune', () => {
  it('reads title, key, meter and notes', () => {
    expect(parseTune(hornpipe)).toMatchObject({ title: 'Test Hornpipe', key: 'D', meter: '2/2', warnings: [] });
    expect(parseTune(jig)).toMatchObject({ title: 'Test Jig', key: 'Ador', meter: '6/8', noteCount: 20 });
    expect(parseTune('X:1\nK:Bb minor\nabc|')).toMatchObject({ key: 'Bbm', meter: null });
  });

  it('measures bars: pickups and triplets fit, and bars that do not are told apart', () => {
    expect(parseTune(hornpipe).bars.map(bar => bar.fit)).toEqual(['partial', 'full', 'full', 'full', 'partial']);
    const { bars } = parseTune('X:1\nM:3/4\nL:1/4\nK:C\nabc|ab|abcd|a||bc|abc|\nab|[M:2/4]ab|ab');
    expect(bars.map(({ fit, line }) => [fit, line])).toEqual([
      ['full', 5],
      ['short', 5], // 2/4 between plain bar lines
      ['long', 5],
      ['partial', 5], // a||bc
      ['partial', 5],
      ['full', 5],
      ['short', 6],
      ['full', 6],
      ['full', 6],
    ]);
    expect(bars[1]).toMatchObject({ voice: 0, number: 2, duration: 0.5, expected: 0.75 });
  });

  it('measures every voice, over line breaks inside a bar', () => {
    const { bars } = parseTune('X:1\nM:4/4\nL:1/4\nK:C\nV:1\nab\ncd|abcd|\nV:2\nA4|A3|A4|');
    expect(bars.map(({ voice, fit }) => [voice, fit])).toEqual([
      [0, 'full'],
      [0, 'full'],
      [1, 'full'],
      [1, 'short'],
      [1, 'full'],
    ]);
  });

  it('lets rests over several bars, chords, grace notes and endings fit', () => {
    const { bars } = parseTune('X:1\nM:4/4\nL:1/4\nK:C\nZ2|[CEG]2 {fg}a2|(3abc d2|1 abcd:|2 a3 y b||');
    expect(bars.map(bar => bar.fit)).toEqual(['full', 'full', 'full', 'full', 'full']);
  });

  it('says what it cannot read, and where', () => {
    const { warnings } = parseTune('X:1\nK:C\nabc|a<script>b|');
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings[0]).toMatchObject({ line: 3, message: expect.stringContaining('Unknown character ignored') });
    for (const { message } of warnings) expect(message).not.toContain('<span');
  });
});

describe('validateTune', () => {
  it('passes whole tunes', () => {
    for (const tune of [hornpipe, jig]) expect(validateTune(tune)).toEqual({ valid: true, problems: [] });
  });

  it.each([
    ['no header', 'abc|', 'structure', 'There is no X: field.'],
    ['no key', 'X:1\nT:a\nabc|', 'structure', 'There is no K: field.'],
    ['no notes', 'X:1\nK:C\n', 'structure', 'There are no notes.'],
    ['two tunes', `${hornpipe}\n${jig}`, 'structure', 'A blank line or a second X: field'],
    ['text that is no music', 'X:1\nK:C\nhello', 'syntax', "Unknown character ignored: 'h'"],
    ['text that abcjs fails on', 'X:1\nK:C\n1 2 [1 [2 [9', 'structure', 'There are no notes.'],
  ])('refuses %s', (_, abc, kind, message) => {
    const { valid, problems } = validateTune(abc);
    expect(valid).toBe(false);
    expect(problems).toContainEqual(expect.objectContaining({ kind, message: expect.stringContaining(message) }));
  });

  it('reports bars that do not add up, which leaves a tune valid', () => {
    expect(validateTune('X:1\nM:6/8\nL:1/8\nK:C\nabc abc|abc a|abc abc|')).toEqual({
      valid: true,
      problems: [{ kind: 'bar', message: 'Bar 2 is short: 4/8 where the meter has 6/8.', line: 5 }],
    });
  });

  it('never throws, whatever the text', () => {
    const character = fc.constantFrom(...'ABCdefgz0123456789/|:[](){}<>^_=~!"\'`,.-+ \n\\&%wKXMLV');
    fc.assert(
      fc.property(fc.array(character, { maxLength: 80 }), characters => {
        validateTune(`X:1\nM:6/8\nK:D\n${characters.join('')}`);
      }),
      { numRuns: 300 },
    );
  });

  it.skipIf(collection === null)(
    'passes at least 99 % of a large collection (needs irish-abc in OSTINATO_DATA)',
    () => {
      const tunes = splitTunes(collection!);
      expect(tunes).toHaveLength(804);
      const valid = tunes.filter(tune => validateTune(tune).valid);
      expect(valid.length / tunes.length).toBeGreaterThan(0.99);
    },
  );
});

describe('novelty', () => {
  const corpus = [hornpipe, jig];

  it('sees a copy through other headers, spaces and comments', () => {
    const copy = jig
      .replace('Test Jig', 'Renamed')
      .replace('M:6/8', 'M:6/8\nR:jig')
      .replace('|AB', '| A B')
      .concat(' % note');
    expect(isCopy(copy, corpus)).toBe(true);
    expect(novelty(copy, corpus)).toMatchObject({ isCopy: true, share: 1, source: 1 });
  });

  it('measures the longest shared run', () => {
    const result = novelty('X:1\nK:D\nGGGG|dAFA DFAd|CCCC|', corpus);
    expect(result).toEqual({ isCopy: false, longestShared: 'dAFADFAd|', share: 9 / 19, source: 0 });
  });

  it('is no copy without notes or without a corpus', () => {
    expect(novelty('X:1\nK:C\n', ['X:2\nK:D\n'])).toEqual({ isCopy: false, longestShared: '', share: 0, source: -1 });
    expect(isCopy('X:1\nK:C\n', ['X:2\nK:D\n'])).toBe(false);
    expect(isCopy(jig, [])).toBe(false);
  });

  it('agrees with a comparison of all substrings', () => {
    const text = fc.array(fc.constantFrom('A', 'B', '|'), { maxLength: 25 }).map(characters => characters.join(''));
    fc.assert(
      fc.property(text, text, (a, b) => {
        let longest = 0;
        for (let from = 0; from < a.length; from++) {
          for (let to = from + 1; to <= a.length; to++)
            if (b.includes(a.slice(from, to))) longest = Math.max(longest, to - from);
        }
        const { longestShared } = novelty(a, [b]);
        expect(longestShared).toHaveLength(longest);
        expect(noteBody(a)).toContain(longestShared);
        expect(noteBody(b)).toContain(longestShared);
      }),
    );
  });
});
