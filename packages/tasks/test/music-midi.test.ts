import abcjs from 'abcjs';
import { parseMidi } from 'midi-file';
import MIDIFile from 'midifile';
import { describe, expect, it } from 'vitest';
import { cleanAbc, tuneToMidi } from '../src/music/index.ts';
import { hornpipe, jig } from './music-tunes.ts';

const read = (abc: string): MIDIFile => new MIDIFile(tuneToMidi(abc).buffer);
const noteOns = (abc: string) =>
  read(abc)
    .getMidiEvents()
    .filter(event => event.subtype === 9);

/** Pitch, start and end in ticks of every note of a file. */
function notesOf(bytes: Uint8Array): [number, number, number][] {
  const notes: [number, number, number][] = [];
  for (const track of parseMidi(bytes).tracks) {
    const sounding = new Map<number, number>();
    let tick = 0;
    for (const event of track) {
      tick += event.deltaTime;
      if (event.type === 'noteOn' && event.velocity > 0) sounding.set(event.noteNumber, tick);
      else if (event.type === 'noteOff' || event.type === 'noteOn') {
        notes.push([event.noteNumber, sounding.get(event.noteNumber)!, tick]);
      }
    }
  }
  return notes.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
}

// Two independent readers: midifile, and midi-file as the reader of what abcjs' own MIDI writer made.
describe('tuneToMidi', () => {
  it('is a Standard MIDI File to an independent parser, with the right pitches at the right times', () => {
    const file = read('X:1\nT:Scale\nM:4/4\nL:1/4\nQ:1/4=120\nK:D\n|:DEFG|A2z2:|');
    expect([file.header.getFormat(), file.header.getTicksPerBeat()]).toEqual([1, 480]);
    const notes = file.getMidiEvents().filter(event => event.subtype === 9);
    // D E F♯ G A, and again after the repeat; 120 quarters a minute are 500 ms each.
    expect(notes.map(note => note.param1)).toEqual([62, 64, 66, 67, 69, 62, 64, 66, 67, 69]);
    const times = [0, 500, 1000, 1500, 2000, 4000, 4500, 5000, 5500, 6000];
    for (const [i, note] of notes.entries()) expect(note.playTime).toBeCloseTo(times[i]!, 0);
  });

  it.each([
    ['hornpipe', hornpipe],
    ['jig', jig],
    ['chords', 'X:1\nM:4/4\nL:1/4\nK:G\n"G"GABc|"D7"[DFA]2 {e}d2|z4|G3-G|G4|]'],
  ])('has the same notes as the file that abcjs writes: %s', (_, abc) => {
    const [bytes] = abcjs.synth.getMidiFile(cleanAbc(abc), { midiOutputType: 'binary' }) as Uint8Array[];
    expect(notesOf(tuneToMidi(abc))).toEqual(notesOf(bytes!));
  });

  it('writes tempo, meter, key and name', () => {
    const [conductor] = parseMidi(tuneToMidi(jig)).tracks;
    expect(conductor).toContainEqual(expect.objectContaining({ type: 'setTempo', microsecondsPerBeat: 400_000 })); // 3/8 = 100
    expect(conductor).toContainEqual(expect.objectContaining({ type: 'timeSignature', numerator: 6, denominator: 8 }));
    expect(conductor).toContainEqual(expect.objectContaining({ type: 'keySignature', key: 1 }));
    expect(conductor).toContainEqual(expect.objectContaining({ type: 'trackName', text: 'Test Jig' }));
  });

  it('has the tempo at offset 26, where the tunes page changes it', () => {
    const bytes = tuneToMidi(jig);
    expect((bytes[26]! << 16) | (bytes[27]! << 8) | bytes[28]!).toBe(400_000);
  });

  it('stays a MIDI file whatever a model wrote: absurd octaves, tempi, titles, programs, twenty voices', () => {
    const voices = Array.from({ length: 20 }, (_, i) => `[V:${i + 1}]A`).join('');
    const title = '“é😀”'.repeat(100);
    for (const abc of [
      "X:1\nL:1/4\nK:C\nC,,,,,,,,,,,, c''''''''''''|",
      'X:1\nQ:1/4=99999999\nK:C\nc|',
      'X:1\nQ:1/4=0\nK:C\nc|',
      `X:1\nT:${title}\nK:C\nc|`,
      'X:1\nM:0/0\nK:C\n%%MIDI program 999\nc|',
      `X:1\nK:C\n${voices}`,
    ]) {
      const notes = noteOns(abc);
      expect(notes.length).toBeGreaterThan(0);
      for (const { param1, param2, channel } of notes) {
        expect(param1).toBeLessThan(128);
        expect(param2).toBeLessThan(128);
        expect(channel).toBeLessThan(16);
      }
    }
    const name = parseMidi(tuneToMidi(`X:1\nT:${title}\nK:C\nc|`)).tracks[0]!.find(
      event => event.type === 'trackName',
    )!;
    const utf8 = Uint8Array.from(name.type === 'trackName' ? name.text : '', character => character.charCodeAt(0));
    expect(new TextDecoder().decode(utf8)).toBe(title);
  });

  it('moves notes beyond MIDI by octaves', () => {
    const [low, high] = noteOns("X:1\nL:1/4\nK:C\nC,,,,,,,,,,,, c''''''''''''|");
    expect(low!.param1).toBe(0);
    expect(high!.param1).toBe(120);
  });

  it('refuses tunes without notes, and ones that never end', () => {
    expect(() => tuneToMidi('X:1\nK:C\n')).toThrow('tuneToMidi: the tune must have notes, got none.');
    expect(() => tuneToMidi('X:1\nK:C\nA9999999|')).toThrow('must last at most 60 minutes');
  });
});
