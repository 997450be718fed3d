/**
 * Replaces `Math.random` by a generator that starts from `name` (mulberry32, Tommy Ettinger, 2017): specs that draw numbers
 * draw the same ones on every backend, every time.
 */
export function seedMathRandom(name: string): void {
  let state = 0;
  for (const character of name) state = (Math.imul(state, 31) + character.codePointAt(0)!) | 0;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
