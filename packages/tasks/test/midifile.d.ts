// The package has no types of its own.
declare module 'midifile' {
  interface MidiFileEvent {
    readonly type: number;
    readonly subtype: number;
    readonly channel: number;
    readonly param1: number;
    readonly param2: number;
    /** Milliseconds from the start. */
    readonly playTime: number;
  }
  export default class MIDIFile {
    constructor(buffer: ArrayBufferLike);
    readonly header: { getFormat(): number; getTracksCount(): number; getTicksPerBeat(): number };
    getMidiEvents(): MidiFileEvent[];
  }
}
