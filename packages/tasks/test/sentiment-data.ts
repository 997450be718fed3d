import { Rng } from '@ostinato/core';
import type { LabelledText } from '@ostinato/tasks/sentiment';

const subjects = ['the film', 'this song', 'our meal', 'the hotel', 'her book', 'that play'];
const words = {
  good: ['great', 'lovely', 'superb', 'charming'],
  bad: ['awful', 'dull', 'dreadful', 'boring'],
  plain: ['blue', 'long', 'recent', 'french'],
} as const;

/** Sentences of three classes; a `not` turns good into bad and back. */
export function sentences(count: number, seed: number): LabelledText[] {
  const rng = new Rng(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[rng.integer(items.length)]!;
  return Array.from({ length: count }, () => {
    const kind = pick(['good', 'bad', 'plain'] as const);
    const isTurned = kind !== 'plain' && rng.integer(4) === 0;
    const label = isTurned ? (kind === 'good' ? 'bad' : 'good') : kind;
    const filler = pick(['', 'really ', 'in the end ', 'as we all know ']);
    return { text: `${pick(subjects)} was ${filler}${isTurned ? 'not ' : ''}${pick(words[kind])}`, label };
  });
}
