export type { Bar } from './bars.ts';
export { tuneToMidi } from './midi.ts';
export { isCopy, type Novelty, noteBody, novelty } from './novelty.ts';
export { type ParsedTune, type ParseWarning, parseTune } from './parse.ts';
export { cleanAbc, joinTunes, readTune, splitTunes, type Tune } from './tune.ts';
export { type TuneProblem, type TuneReport, validateTune } from './validate.ts';
