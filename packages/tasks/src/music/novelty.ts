import { readTune, type Tune } from './tune.ts';

/** How much of a tune stands in a corpus. */
export interface Novelty {
  /** Whether the whole body of the tune is the body of one in the corpus. */
  readonly isCopy: boolean;
  /** The longest piece of the normalised body that some tune of the corpus has too. */
  readonly longestShared: string;
  /** Characters of `longestShared` over characters of the normalised body, 0 … 1. */
  readonly share: number;
  /** Index in the corpus of a tune that has `longestShared`; −1 when nothing is shared. */
  readonly source: number;
}

/** The notes of a tune for comparison: no header, no fields and comments in the body, no white space. */
export function noteBody(source: Tune | string): string {
  const { body } = typeof source === 'string' ? readTune(source) : source;
  const music = body.split('\n').filter(line => !/^[A-Za-z]:|^%/.test(line));
  return music.map(line => line.replace(/(?<!\\)%.*$/, '').replace(/\s+/g, '')).join('');
}

interface SuffixState {
  readonly next: Map<string, number>;
  /** Length of the longest substring that ends in this state. */
  length: number;
  link: number;
}

/**
 * The suffix automaton of `text`: it accepts exactly the substrings of `text`, in O(length) states (Blumer et al. 1985, "The
 * smallest automaton recognizing the subwords of a text", Theoretical Computer Science 40).
 */
function suffixAutomaton(text: string): SuffixState[] {
  const states: SuffixState[] = [{ next: new Map(), length: 0, link: -1 }];
  let last = 0;
  for (const character of text) {
    const current = states.push({ next: new Map(), length: states[last]!.length + 1, link: 0 }) - 1;
    let p = last;
    for (; p !== -1 && !states[p]!.next.has(character); p = states[p]!.link) states[p]!.next.set(character, current);
    if (p !== -1) {
      const q = states[p]!.next.get(character)!;
      if (states[q]!.length === states[p]!.length + 1) states[current]!.link = q;
      else {
        const length = states[p]!.length + 1;
        const clone = states.push({ next: new Map(states[q]!.next), length, link: states[q]!.link }) - 1;
        for (; p !== -1 && states[p]!.next.get(character) === q; p = states[p]!.link) {
          states[p]!.next.set(character, clone);
        }
        states[q]!.link = clone;
        states[current]!.link = clone;
      }
    }
    last = current;
  }
  return states;
}

/** The longest piece of `text` that the automaton accepts. */
function longestAccepted(states: readonly SuffixState[], text: string): string {
  const characters = [...text];
  let state = 0;
  let length = 0;
  let best = { length: 0, end: 0 };
  for (const [index, character] of characters.entries()) {
    while (state !== 0 && !states[state]!.next.has(character)) {
      state = states[state]!.link;
      length = states[state]!.length;
    }
    const next = states[state]!.next.get(character);
    if (next !== undefined) {
      state = next;
      length++;
    }
    if (length > best.length) best = { length, end: index + 1 };
  }
  return characters.slice(best.end - best.length, best.end).join('');
}

/**
 * Compares the notes of a tune with those of a corpus, usually the tunes that a model was trained on: whether it is a copy, and
 * the longest run of characters that it shares with one tune. Headers, comments and white space do not count.
 *
 * Time is linear in the size of the corpus.
 */
export function novelty(tune: Tune | string, corpus: readonly (Tune | string)[]): Novelty {
  const body = noteBody(tune);
  const states = suffixAutomaton(body);
  let longestShared = '';
  let source = -1;
  let isCopy = false;
  for (const [index, other] of corpus.entries()) {
    const otherBody = noteBody(other);
    isCopy ||= body !== '' && otherBody === body;
    const shared = longestAccepted(states, otherBody);
    if (shared.length > longestShared.length) {
      longestShared = shared;
      source = index;
    }
  }
  return { isCopy, longestShared, share: body === '' ? 0 : longestShared.length / body.length, source };
}

/** Whether the whole body of the tune, as `noteBody` gives it, is the body of a tune in the corpus. */
export function isCopy(tune: Tune | string, corpus: readonly (Tune | string)[]): boolean {
  const body = noteBody(tune);
  return body !== '' && corpus.some(other => noteBody(other) === body);
}
