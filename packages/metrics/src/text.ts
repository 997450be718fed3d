/*
 * Text as Python sees it, since the reference implementations are in Python: what counts as white space, and how numbers
 * round. JavaScript's \s knows U+FEFF, which Python does not, and lacks U+001C–U+001F and U+0085.
 */
const whiteSpace = '\\t\\n\\v\\f\\r \\x1c-\\x1f\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const runs = new RegExp(`[${whiteSpace}]+`);
const runsAnywhere = new RegExp(`[${whiteSpace}]+`, 'g');
const trailing = new RegExp(`[${whiteSpace}]+$`);

/** The words between white space, as Python's `text.split()`; none in blank text. */
export function splitWords(text: string): string[] {
  return text.split(runs).filter(word => word !== '');
}

/** Text without the white space at its end, as Python's `text.rstrip()`. */
export function trimRight(text: string): string {
  return text.replace(trailing, '');
}

/** Text without any white space. */
export function removeSpaces(text: string): string {
  return text.replace(runsAnywhere, '');
}

/** `value` with `digits` decimals as Python writes it: exact, and a tie goes to the even digit (`toFixed` goes up). */
export function fixed(value: number, digits: number): string {
  const rounded = value.toFixed(digits);
  const exact = Math.abs(value).toFixed(digits + 30);
  const cut = exact.length - 30;
  const isTie = /^50*$/.test(exact.slice(cut)) && Number(exact) === Math.abs(value);
  if (!isTie) return rounded;
  const below = exact.slice(0, cut).replace(/\.$/, '');
  if (Number(below.at(-1)) % 2 === 1) return rounded;
  return value < 0 ? `-${below}` : below;
}

/** How often each n-gram of `order` occurs. Words hold no white space, so that a space between them is unambiguous. */
export function countWordNgrams(words: readonly string[], order: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + order <= words.length; i++) {
    const ngram = order === 1 ? words[i]! : words.slice(i, i + order).join(' ');
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}
