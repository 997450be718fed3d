import { readFileSync } from 'node:fs';
import abcjs, { type VoiceItem } from 'abcjs';
import { describe, expect, it } from 'vitest';

const text = readFileSync(new URL('../data/tunes.abc', import.meta.url), 'utf8');
const readme = readFileSync(new URL('../data/README.md', import.meta.url), 'utf8');

const rhythms = ['jig', 'reel', 'hornpipe', 'polka', 'air', 'waltz'];
const metres: Record<string, string[]> = {
  jig: ['6/8'],
  reel: ['4/4'],
  hornpipe: ['4/4'],
  polka: ['2/4'],
  air: ['3/4', '4/4', '6/8'],
  waltz: ['3/4'],
};

/** Header lines in the order that every tune has them. */
const headers = [
  /^X:\d+$/,
  /^T:\S.*\S$/,
  /^C:(Trad\.|\S.*\(\d{4}-\d{4}\))$/,
  /^O:\S+$/,
  /^R:(jig|reel|hornpipe|polka|air|waltz)$/,
  /^M:\d\/\d$/,
  /^L:1\/8$/,
  /^K:[A-G](m|dor|mix)?$/,
];

/** Notes, rests, lengths, ties, triplets, accidentals, bar lines: no chords, ornaments, words or inline fields. */
const plainMusic = /^([A-Ga-gz][,']?|[_=^](?=[A-Ga-g])|[1-9/><-]|\(3| |\|\]|\|:|:\||\|)+$/;

/** Ticks in a whole note: an eighth of a triplet is 8, a dotted sixteenth 9, so that every length is a whole number. */
const WHOLE = 96;

const field = (tune: string, name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(tune)?.[1] ?? '';

/** A stretch of music between two bar lines; `opens` and `closes` say whether a part begins or ends there. */
interface Bar {
  ticks: number;
  opens: boolean;
  closes: boolean;
  repeatStart: boolean;
  repeatEnd: boolean;
}

function barsOf(items: VoiceItem[]): Bar[] {
  const bars: Bar[] = [];
  let [ticks, tuplet, opens, repeatStart] = [0, 1, true, false];
  for (const item of items) {
    if (item.el_type === 'note') {
      // abcjs types neither field: the first note of a triplet has the multiplier, the last one ends it.
      const { tripletMultiplier, endTriplet } = item as { tripletMultiplier?: number; endTriplet?: boolean };
      tuplet = tripletMultiplier ?? tuplet;
      ticks += item.duration * tuplet * WHOLE;
      if (endTriplet) tuplet = 1;
    }
    if (item.el_type !== 'bar') continue;
    const closes = item.type !== 'bar_thin';
    if (ticks > 0)
      bars.push({ ticks: Math.round(ticks), opens, closes, repeatStart, repeatEnd: item.type === 'bar_right_repeat' });
    opens = closes || (opens && ticks === 0);
    repeatStart = item.type === 'bar_left_repeat';
    ticks = 0;
  }
  return bars;
}

/** The bars in the order in which they are played; `found` gets a word on each `|:` and `:|` that do not pair up. */
function played(bars: Bar[], found: string[]): Bar[] {
  const order: Bar[] = [];
  let start = -1;
  bars.forEach((bar, index) => {
    if (bar.repeatStart) {
      if (start >= 0) found.push('a |: inside a repeat');
      start = index;
    }
    order.push(bar);
    if (!bar.repeatEnd) return;
    if (start < 0) found.push('a :| without |:');
    else order.push(...bars.slice(start, index + 1));
    start = -1;
  });
  if (start >= 0) found.push('a |: without :|');
  return order;
}

/**
 * What is wrong with one tune, in words.
 *
 * Every bar lasts as long as the metre says. Only where a part ends may a bar be short, and then the pick-up of the
 * part that is played next completes it; the last bar of the tune is completed by its first pick-up.
 */
function faults(tune: string): string[] {
  const lines = tune.trimEnd().split('\n');
  const found = headers.flatMap((header, at) => (header.test(lines[at] ?? '') ? [] : [`header ${at}: ${lines[at]}`]));
  for (const line of lines.slice(headers.length)) if (!plainMusic.test(line)) found.push(`not plain: ${line}`);
  if (!metres[field(tune, 'R')]?.includes(field(tune, 'M'))) found.push('metre does not fit the rhythm');

  const [parsed] = abcjs.parseOnly(tune);
  found.push(...(parsed!.warnings ?? []));
  const items = parsed!.lines.flatMap(line => line.staff?.[0]?.voices?.[0] ?? []);
  if (items.at(-1)?.el_type !== 'bar') return [...found, 'music after the last bar line'];

  const [beats, unit] = field(tune, 'M').split('/').map(Number);
  const full = (beats! / unit!) * WHOLE;
  const order = played(barsOf(items), found);
  let waiting = 0;
  order.forEach((bar, index) => {
    if (waiting > 0) {
      if (!bar.opens || waiting + bar.ticks !== full) found.push(`bar ${index}: ${waiting} + ${bar.ticks} != ${full}`);
      waiting = 0;
    } else if (bar.ticks !== full && index > 0) {
      if (!bar.closes || bar.ticks > full) found.push(`bar ${index}: ${bar.ticks} != ${full}`);
      waiting = bar.ticks;
    }
  });
  const pickup = order[0]!.ticks % full;
  if ((pickup + waiting) % full !== 0) found.push(`pick-up ${pickup} + last bar ${waiting} != ${full}`);
  return found;
}

const tunes = text.split('\n\n');
const named = tunes.map(tune => [field(tune, 'T'), tune] as const);

describe('the tunes that ship with the CLI', () => {
  it('are at least 64, numbered from 1, with different titles', () => {
    expect(tunes.length).toBeGreaterThanOrEqual(64);
    expect(tunes.map(tune => field(tune, 'X'))).toEqual(tunes.map((_, at) => String(at + 1)));
    expect(new Set(named.map(([title]) => title)).size).toBe(tunes.length);
  });

  it('are by nobody known, or by composers dead for a century', () => {
    const deaths = tunes.flatMap(tune => /-(\d{4})\)$/.exec(field(tune, 'C'))?.slice(1).map(Number) ?? []);
    expect(deaths.length).toBeGreaterThan(0);
    expect(Math.max(...deaths)).toBeLessThan(1925);
  });

  it('are counted right in the README, seven of each rhythm or more', () => {
    const count = (rhythm: string, origin?: string) =>
      tunes.filter(tune => field(tune, 'R') === rhythm && (!origin || field(tune, 'O') === origin)).length;
    for (const rhythm of rhythms) expect(count(rhythm), rhythm).toBeGreaterThanOrEqual(7);

    const rows = new Set(readme.split('\n'));
    const row = (label: string, counts: number[]) =>
      `| ${[label, ...counts, counts.reduce((sum, value) => sum + value)].join(' | ')} |`;
    const expected = [...new Set(tunes.map(tune => field(tune, 'O')))].map(origin =>
      row(
        origin,
        rhythms.map(rhythm => count(rhythm, origin)),
      ),
    );
    expected.push(
      row(
        'all',
        rhythms.map(rhythm => count(rhythm)),
      ),
    );
    expect(expected.filter(line => !rows.has(line))).toEqual([]);
  });

  it.each(named)('%s is well formed', (_title, tune) => {
    expect(faults(tune)).toEqual([]);
  });

  it.each([
    ['a note too many', 'BGG DGG', 'BGGG DGG'],
    ['a lost bar line', 'BGG DGG|', 'BGG DGG '],
    ['a pick-up that nothing balances', '|:dc|', '|:c|'],
    ['a lost start of a repeat', '|:dc|', 'dc|'],
    ['a chord name', 'BGG DGG', '"G"BGG DGG'],
    ['a field out of place', 'R:jig\nM:6/8', 'M:6/8\nR:jig'],
  ])('would not pass with %s', (_what, from, to) => {
    expect(tunes[0]).toContain(from);
    expect(faults(tunes[0]!.replace(from, to))).not.toEqual([]);
  });
});
