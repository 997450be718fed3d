/** A merge: the ids of a pair, and of what it becomes. */
export interface LearnedMerges {
  /** Pairs of tokens, in the order in which they were learned. */
  readonly merges: readonly (readonly [string, string])[];
  /** The alphabet, then the new tokens in the order of their merges. */
  readonly tokens: readonly string[];
}

/** A pair of ids as one number. */
const pairKey = (left: number, right: number): number => left * 2 ** 24 + right;

interface Word {
  readonly count: number;
  ids: number[];
}

/** Pairs by falling count; of equal counts the smaller key. Counts that changed are pushed anew, old entries dropped when met. */
class PairHeap {
  readonly #entries: { readonly count: number; readonly key: number }[] = [];

  push(count: number, key: number): void {
    const entries = this.#entries;
    const entry = { count, key };
    let place = entries.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(entry, entries[parent]!)) break;
      entries[place] = entries[parent]!;
      place = parent;
    }
    entries[place] = entry;
  }

  pop(): { readonly count: number; readonly key: number } | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (first === undefined || entries.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child + 1 < entries.length && isBefore(entries[child + 1]!, entries[child]!)) child++;
      if (child >= entries.length || !isBefore(entries[child]!, last!)) break;
      entries[place] = entries[child]!;
      place = child;
    }
    entries[place] = last!;
    return first;
  }
}

function isBefore(a: { count: number; key: number }, b: { count: number; key: number }): boolean {
  return a.count > b.count || (a.count === b.count && a.key < b.key);
}

/**
 * Learns merges: again and again the most frequent pair of neighbours in the words becomes a token, until there are `size`
 * tokens or no pair occurs `minimumFrequency` times. Of equally frequent pairs the one whose tokens are older.
 *
 * Sennrich et al. 2016, arXiv:1508.07909, section 3.2.
 *
 * @param words each word as letters of the alphabet, and how often it occurs
 * @param reserved strings that no token may be
 */
export function learnMerges(
  words: Iterable<readonly [letters: readonly string[], count: number]>,
  options: {
    readonly alphabet: readonly string[];
    readonly size: number;
    readonly minimumFrequency: number;
    readonly reserved: ReadonlySet<string>;
  },
): LearnedMerges {
  const { alphabet, size, minimumFrequency, reserved } = options;
  const tokens = [...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const all: Word[] = Array.from(words, ([letters, count]) => ({ count, ids: letters.map(each => ids.get(each)!) }));
  const counts = new Map<number, number>();
  const places = new Map<number, Set<Word>>();
  const add = (word: Word, sign: 1 | -1, changed?: Set<number>): void => {
    for (let i = 0; i + 1 < word.ids.length; i++) {
      const key = pairKey(word.ids[i]!, word.ids[i + 1]!);
      counts.set(key, (counts.get(key) ?? 0) + sign * word.count);
      changed?.add(key);
      if (sign < 0) continue;
      const found = places.get(key);
      if (found === undefined) places.set(key, new Set([word]));
      else found.add(word);
    }
  };
  for (const word of all) add(word, 1);
  const heap = new PairHeap();
  for (const [key, count] of counts) heap.push(count, key);

  const merges: [string, string][] = [];
  while (tokens.length < size) {
    const top = heap.pop();
    if (top === undefined || top.count < minimumFrequency) break;
    if (counts.get(top.key) !== top.count) continue;
    const [left, right] = [Math.floor(top.key / 2 ** 24), top.key % 2 ** 24];
    const merged = tokens[left]! + tokens[right]!;
    if (reserved.has(merged)) continue;
    // Other merges may have made the same string: then it is the same token.
    const id = ids.get(merged) ?? tokens.push(merged) - 1;
    ids.set(merged, id);
    merges.push([tokens[left]!, tokens[right]!]);
    const changed = new Set<number>();
    for (const word of places.get(top.key)!) {
      add(word, -1, changed);
      word.ids = mergePair(word.ids, left, right, id);
      add(word, 1, changed);
    }
    counts.delete(top.key);
    places.delete(top.key);
    changed.delete(top.key);
    for (const key of changed) {
      const count = counts.get(key)!;
      if (count > 0) heap.push(count, key);
      else {
        counts.delete(key);
        places.delete(key);
      }
    }
  }
  return { merges, tokens };
}

function mergePair(ids: readonly number[], left: number, right: number, id: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      result.push(id);
      i++;
    } else result.push(ids[i]!);
  }
  return result;
}
