import { expect, it } from 'vitest';
import { threefry } from '../src/index.ts';

// Known answers of the authors' Random123 library, file kat_vectors, lines `threefry2x32 20`.
it.each([
  { counter: [0, 0], key: [0, 0], words: [0x6b200159, 0x99ba4efe] },
  { counter: [0xffffffff, 0xffffffff], key: [0xffffffff, 0xffffffff], words: [0x1cb996fc, 0xbb002be7] },
  { counter: [0x243f6a88, 0x85a308d3], key: [0x13198a2e, 0x03707344], words: [0xc4923a9c, 0x483df7a0] },
] as const)('enciphers $counter under $key as Random123 does', ({ counter, key, words }) => {
  expect(threefry(key, counter[0], counter[1])).toEqual(words);
});
