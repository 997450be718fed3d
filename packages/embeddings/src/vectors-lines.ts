import { FormatError } from '@ostinato/core';

/** A word's vector, as a line of a text file has it. */
export interface VectorLine {
  readonly word: string;
  /** Reads the numbers, and writes them to `target` from `offset` on. */
  read(target: Float32Array, offset: number): void;
}

const where = 'readVectors';

/** The lines of a text that arrives in chunks, without `\n` or `\r\n`. */
async function* linesOf(chunks: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  let rest = '';
  let begun = false;
  for await (const chunk of chunks) {
    const lines = (rest + (begun ? chunk : chunk.replace(/^\ufeff/, ''))).split('\n');
    begun ||= chunk !== '';
    rest = lines.pop()!;
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
  if (rest !== '') yield rest.endsWith('\r') ? rest.slice(0, -1) : rest;
}

/** What the first line says when it is a header: `2000000 300`. */
interface Header {
  readonly count: number;
  readonly size: number;
}

function headerOf(line: string): Header | undefined {
  const [, count, size] = /^(\d+)[ \t]+(\d+)[ \t]*$/.exec(line) ?? [];
  return count === undefined ? undefined : { count: Number(count), size: Number(size) };
}

/**
 * Lines of vectors, with their errors.
 *
 * @param size numbers of a line, where the caller knows it; or it is that of the header, or of the first line
 * @throws FormatError naming the line that is not a word and so many numbers
 */
export async function* vectorLines(
  chunks: AsyncIterable<string> | Iterable<string>,
  { size: known, maximumWords }: { readonly size: number | undefined; readonly maximumWords: number },
): AsyncGenerator<VectorLine & { readonly size: number }> {
  let size = known;
  let header: Header | undefined;
  let number = 0;
  let words = 0;
  for await (const line of linesOf(chunks)) {
    number++;
    if (number === 1) {
      header = headerOf(line);
      if (header && size !== undefined && header.size !== size) {
        throw wrong(1, 'the header must name the width that is asked for', String(size), String(header.size));
      }
      size ??= header?.size;
      if (header) continue;
    }
    if (line.trim() === '') continue;
    if (words === maximumWords) return;
    const text = line.trimEnd();
    size ??= text.split(/[ \t]/).length - 1;
    yield { ...parse(text, size, number), size };
    words++;
  }
  if (header && words < header.count) {
    throw wrong(number, 'the file must have as many vectors as its header says', String(header.count), String(words));
  }
  if (words === 0) throw wrong(Math.max(1, number), 'there must be a vector', 'a word and its numbers', 'the end');
}

/** The last `size` fields are numbers; what stands before them is the word, which may have spaces in it (GloVe 840B). */
function parse(text: string, size: number, number: number): VectorLine {
  let at = text.length;
  const starts = new Int32Array(size);
  for (let field = size - 1; field >= 0; field--) {
    const space = Math.max(text.lastIndexOf(' ', at - 1), text.lastIndexOf('\t', at - 1));
    if (space <= 0) {
      const got = String(text.split(/[ \t]/).length - 1);
      throw wrong(number, 'a line must be a word and its numbers', `${size} numbers`, got);
    }
    starts[field] = space + 1;
    at = space;
  }
  const word = text.slice(0, at);
  // More fields than the others have: the word would end in a number.
  const space = Math.max(word.lastIndexOf(' '), word.lastIndexOf('\t'));
  if (space >= 0 && /^[-+]?\d*\.\d+(e[-+]?\d+)?$/i.test(word.slice(space + 1))) {
    throw wrong(
      number,
      'a line must be a word and its numbers',
      `${size} numbers`,
      String(text.split(/[ \t]/).length - 1),
    );
  }
  return {
    word,
    read(target, offset) {
      for (let i = 0; i < size; i++) {
        const end = i + 1 < size ? starts[i + 1]! - 1 : text.length;
        const digits = text.slice(starts[i]!, end);
        const value = digits.trim() === '' ? Number.NaN : Number(digits);
        if (!Number.isFinite(Math.fround(value))) {
          throw wrong(number, `number ${i + 1} of a line must be finite`, 'a number', JSON.stringify(digits));
        }
        target[offset + i] = value;
      }
    },
  };
}

function wrong(line: number, rule: string, expected: string, got: string): FormatError {
  return new FormatError({ where, rule: `line ${line}: ${rule}`, expected, got });
}
