import type { TuneObject, VoiceItem } from 'abcjs';

/** One bar of one voice. */
export interface Bar {
  /** 0 for the first or only voice. */
  readonly voice: number;
  /** 1 for the first bar of the voice that has notes or rests. */
  readonly number: number;
  /** 1 for the first line of the tune's ABC, header included. */
  readonly line: number;
  /** Sum of its note and rest lengths in whole notes. */
  readonly duration: number;
  /** What the meter asks for, in whole notes; `null` in free meter. */
  readonly expected: number | null;
  /**
   * `full` fits its meter, or has none. `partial` is shorter than its meter beside a repeat, a double bar, an ending or an end
   * of the tune: a pickup, or the bar that the pickup completes. `short` and `long` do not add up.
   */
  readonly fit: 'full' | 'partial' | 'short' | 'long';
}

/** The parts of an abcjs note that its published types leave out. */
interface Tuplet {
  readonly startTriplet?: number;
  readonly tripletMultiplier?: number;
  readonly endTriplet?: boolean;
}

interface OpenBar {
  duration: number;
  sounding: boolean;
  startChar: number;
  /** Whether a repeat, double bar, ending or the start of the tune stands at its left. */
  atBoundary: boolean;
}

// Tuplet factors are binary fractions only approximately: bars within this of their meter are full.
const tolerance = 1e-6;

function barLength(meter: { readonly type: string; readonly value?: readonly unknown[] | undefined }): number | null {
  if (meter.type === 'common_time' || meter.type === 'cut_time') return 1;
  if (meter.type !== 'specified' || !meter.value) return null;
  // abcjs keeps the numbers as text: `{ num: '2+3', den: '8' }`.
  const parts = meter.value as readonly { readonly num: string | number; readonly den?: string | number }[];
  const length = parts.reduce((sum, { num, den = 1 }) => {
    const beats = String(num)
      .split('+')
      .reduce((total, beat) => total + Number(beat), 0);
    return sum + beats / Number(den);
  }, 0);
  return Number.isFinite(length) && length > 0 ? length : null;
}

/** Collects the bars of one voice while its items go by, line after line. */
class BarCounter {
  private readonly bars: Bar[] = [];
  private open: OpenBar = { duration: 0, sounding: false, startChar: 0, atBoundary: true };
  private expected: number | null = null;
  private tuplet = 1;
  private readonly voice: number;
  private readonly lineAt: (startChar: number) => number;

  constructor(voice: number, lineAt: (startChar: number) => number) {
    this.voice = voice;
    this.lineAt = lineAt;
  }

  setMeter(meter: Parameters<typeof barLength>[0]): void {
    this.expected = barLength(meter);
  }

  add(item: VoiceItem): void {
    if (item.el_type === 'meter') this.setMeter(item);
    else if (item.el_type === 'bar') {
      const plain = item.type === 'bar_thin' || item.type === 'bar_invisible';
      this.close(!plain || item.startEnding !== undefined || item.endEnding === true);
    } else if (item.el_type === 'note' && item.rest?.type !== 'spacer') {
      const { startTriplet, tripletMultiplier, endTriplet }: Tuplet = item as Tuplet;
      if (startTriplet !== undefined) this.tuplet = tripletMultiplier ?? 1;
      if (!this.open.sounding) this.open.startChar = item.startChar;
      const restsWholeBars = item.rest?.type.endsWith('multimeasure') === true;
      this.open.duration += restsWholeBars ? (this.expected ?? 0) : item.duration * this.tuplet;
      this.open.sounding = true;
      if (endTriplet) this.tuplet = 1;
    }
  }

  private close(atBoundary: boolean): void {
    const { duration, sounding, startChar } = this.open;
    if (sounding) {
      const bar = { voice: this.voice, number: this.bars.length + 1, line: this.lineAt(startChar), duration };
      const excess = this.expected === null ? 0 : duration - this.expected;
      const beside = this.open.atBoundary || atBoundary;
      const fit = Math.abs(excess) < tolerance ? 'full' : excess > 0 ? 'long' : beside ? 'partial' : 'short';
      this.bars.push({ ...bar, expected: this.expected, fit });
    }
    const stillAtBoundary = !sounding && this.open.atBoundary; // `|` straight after `|:` has no bar between
    this.open = { duration: 0, sounding: false, startChar: 0, atBoundary: atBoundary || stillAtBoundary };
  }

  /** Closes the last bar; a plain bar line at the end of the tune is an end all the same. */
  end(): readonly Bar[] {
    this.close(true);
    const last = this.bars.at(-1);
    if (last?.fit === 'short') this.bars[this.bars.length - 1] = { ...last, fit: 'partial' };
    return this.bars;
  }
}

/** The bars of a parsed tune, voice after voice. `abc` is the text it was parsed from. */
export function barsOf(tune: TuneObject, abc: string): Bar[] {
  const lineAt = (startChar: number): number => abc.slice(0, startChar).split('\n').length;
  const counters = new Map<string, BarCounter>();
  for (const { staff = [] } of tune.lines) {
    for (const [staffIndex, { meter, voices = [] }] of staff.entries()) {
      for (const [voiceIndex, items] of voices.entries()) {
        const key = `${staffIndex}.${voiceIndex}`;
        const counter = counters.get(key) ?? new BarCounter(counters.size, lineAt);
        counters.set(key, counter);
        if (meter) counter.setMeter(meter);
        for (const item of items) counter.add(item);
      }
    }
  }
  return [...counters.values()].flatMap(counter => counter.end());
}
