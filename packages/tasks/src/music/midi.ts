import { FormatError } from '@ostinato/core';
import { type MidiEvent, writeMidi } from 'midi-file';
import { parseWithAbcjs } from './parse.ts';
import type { Tune } from './tune.ts';

const ticksPerQuarter = 480;
const defaultQuartersPerMinute = 180; // the walking pace of reels and jigs, and abcjs' own default
const slowest = 10;
const fastest = 1000;
const percussionChannel = 9;
const longestInMinutes = 60;

/** abcjs' default or `Q:` field in quarter notes a minute, held between 10 and 1000. */
function tempoOf(tune: ReturnType<typeof parseWithAbcjs>['tune']): number {
  if (tune.metaText.tempo === undefined) return defaultQuartersPerMinute;
  const quarters = (4 * tune.getBarLength() * 60_000) / tune.millisecondsPerMeasure();
  if (!Number.isFinite(quarters)) return defaultQuartersPerMinute;
  return Math.min(Math.max(quarters, slowest), fastest);
}

/** MIDI has the pitches 0 to 127; a note beyond them sounds in the nearest octave that has them. */
function foldPitch(pitch: number): number {
  const rounded = Math.round(pitch);
  if (rounded < 0) return ((rounded % 12) + 12) % 12;
  return rounded > 127 ? 116 + ((rounded - 116) % 12) : rounded;
}

interface TimedEvent {
  readonly tick: number;
  /** Of the events at one tick, note-offs go first so that a repeated note is struck again. */
  readonly order: number;
  readonly event: MidiEvent;
}

function toTrack(events: readonly TimedEvent[]): MidiEvent[] {
  const sorted = [...events].sort((a, b) => a.tick - b.tick || a.order - b.order);
  let previous = 0;
  const track = sorted.map(({ tick, event }) => {
    const deltaTime = tick - previous;
    previous = tick;
    return { ...event, deltaTime };
  });
  return [...track, { type: 'endOfTrack', deltaTime: 0 }];
}

/** Name, tempo, meter and key. The tempo comes first: its three bytes are at offset 26 of the file. */
function conductorTrack(tune: ReturnType<typeof parseWithAbcjs>['tune'], quartersPerMinute: number): MidiEvent[] {
  const { num, den = 4 } = tune.getMeterFraction();
  const accidentals = tune.getKeySignature().accidentals ?? [];
  const sharps = accidentals.filter(({ acc }) => acc === 'sharp').length;
  const flats = accidentals.filter(({ acc }) => acc === 'flat').length;
  const title = new TextEncoder().encode(tune.metaText.title ?? '');
  const events: MidiEvent[] = [
    { type: 'setTempo', deltaTime: 0, microsecondsPerBeat: Math.floor(60_000_000 / quartersPerMinute) },
  ];
  if (Number.isInteger(num) && num > 0 && num < 256 && [1, 2, 4, 8, 16, 32].includes(den)) {
    events.push({
      type: 'timeSignature',
      deltaTime: 0,
      numerator: num,
      denominator: den,
      metronome: 24,
      thirtyseconds: 8,
    });
  }
  if (sharps - flats >= -7 && sharps - flats <= 7) {
    const scale = tune.getKeySignature().mode === 'm' ? 1 : 0;
    events.push({ type: 'keySignature', deltaTime: 0, key: sharps - flats, scale });
  }
  if (title.length > 0) {
    // midi-file writes one byte per UTF-16 unit: give it the bytes of UTF-8.
    events.push({
      type: 'trackName',
      deltaTime: 0,
      text: Array.from(title, byte => String.fromCharCode(byte)).join(''),
    });
  }
  return [...events, { type: 'endOfTrack', deltaTime: 0 }];
}

/**
 * A Standard MIDI File (format 1, 480 ticks per quarter note) of a tune as it is played: repeats written out, chord symbols
 * as accompaniment. abcjs reads the tune and orders its notes, midi-file writes the bytes.
 *
 * Tempo is the `Q:` field held between 10 and 1000 quarter notes a minute, 180 without one. Notes beyond MIDI's range are moved by
 * octaves into it.
 *
 * @throws FormatError when abcjs cannot play the tune, when it has no notes, or when it would last more than an hour
 */
export function tuneToMidi(source: Tune | string): Uint8Array {
  const { tune } = parseWithAbcjs(source);
  const fail = (rule: string, got: string, cause?: unknown): FormatError =>
    new FormatError({ where: 'tuneToMidi', rule, got, cause });
  let audio: ReturnType<typeof tune.setUpAudio>;
  try {
    audio = tune.setUpAudio({});
  } catch (cause) {
    throw fail('abcjs must be able to play the tune', cause instanceof Error ? cause.message : String(cause), cause);
  }
  const quartersPerMinute = tempoOf(tune);
  const tracks = audio.tracks.map(items => {
    const events: TimedEvent[] = [];
    let channel = 0;
    for (const item of items) {
      if (item.cmd === 'program') {
        const percussion = item.instrument === 128;
        channel = percussion ? percussionChannel : item.channel % 16;
        const programNumber = percussion ? 0 : Math.min(Math.max(item.instrument, 0), 127);
        events.push({ tick: 0, order: 0, event: { type: 'programChange', deltaTime: 0, channel, programNumber } });
      } else if (item.cmd === 'note' && item.duration > 0) {
        const sounding = item.duration * (item.endType === 'staccato' ? 0.5 : 1);
        const start = Math.round(4 * ticksPerQuarter * item.start);
        const end = Math.max(Math.round(4 * ticksPerQuarter * (item.start + sounding)), start + 1);
        const noteNumber = foldPitch(item.pitch);
        const velocity = Math.min(Math.max(Math.round(item.volume), 1), 127);
        if (!(end / ticksPerQuarter / quartersPerMinute <= longestInMinutes)) {
          throw fail(`the tune must last at most ${longestInMinutes} minutes`, `a note that ends at ${end} ticks`);
        }
        events.push({ tick: start, order: 2, event: { type: 'noteOn', deltaTime: 0, channel, noteNumber, velocity } });
        events.push({
          tick: end,
          order: 1,
          event: { type: 'noteOff', deltaTime: 0, channel, noteNumber, velocity: 0 },
        });
      }
    }
    return events;
  });
  if (!tracks.some(events => events.some(({ event }) => event.type === 'noteOn'))) {
    throw fail('the tune must have notes', 'none');
  }
  const all = [conductorTrack(tune, quartersPerMinute), ...tracks.map(toTrack)];
  const header = { format: 1, numTracks: all.length, ticksPerBeat: ticksPerQuarter } as const;
  return Uint8Array.from(writeMidi({ header, tracks: all }));
}
