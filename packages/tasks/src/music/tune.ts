import abcjs from 'abcjs';

/** One tune in ABC notation (the ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1). */
export interface Tune {
  /** The whole tune, header and body, as `cleanAbc` leaves it. */
  readonly abc: string;
  /** Header fields by letter, each with its values in order: `fields.get('T')?.[0]` is the title. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** The first `T:` field, or the empty string. */
  readonly title: string;
  /** What follows the header: the notes, with body fields and comments. */
  readonly body: string;
}

const fieldLine = /^([A-Za-z]):(.*)$/;

/**
 * ABC text in the form that the rest of this module reads: `\n` line ends, no blank space around lines or around the text,
 * and no `!` at the end of a line. That mark meant "break the staff here" in abc2win and in collections of its time; a line
 * break says the same today. A `!` that closes a decoration (`!fermata!`) stays.
 */
export function cleanAbc(text: string): string {
  const lines = text.split(/\r\n|\r|\n/).map(line => {
    const trimmed = line.trim();
    const marks = trimmed.split('!').length - 1;
    return trimmed.endsWith('!') && marks % 2 === 1 ? trimmed.slice(0, -1).trimEnd() : trimmed;
  });
  return lines.join('\n').trim();
}

/** Reads header and body of one tune; nothing is checked (see `validateTune`). */
export function readTune(text: string): Tune {
  const abc = cleanAbc(text);
  const lines = abc.split('\n');
  const fields = new Map<string, string[]>();
  let next = 0;
  for (; next < lines.length; next++) {
    const line = lines[next]!;
    const match = fieldLine.exec(line);
    if (!match && !line.startsWith('%')) break;
    if (!match) continue;
    const [, letter, value] = match;
    fields.set(letter!, [...(fields.get(letter!) ?? []), value!.trim()]);
    if (letter === 'K') {
      next++;
      break;
    }
  }
  return { abc, fields, title: fields.get('T')?.[0] ?? '', body: lines.slice(next).join('\n') };
}

/**
 * The tunes of a collection. A tune starts at a line `X:` and ends at a blank line or at the next `X:`; text between tunes is
 * left out, `%%` directives above the first tune are put into each. Text without any `X:` is one tune.
 */
export function splitTunes(text: string): Tune[] {
  return new abcjs.TuneBook(cleanAbc(text)).tunes.map(({ abc }) => readTune(abc)).filter(({ abc }) => abc !== '');
}

/** A collection of these tunes, one blank line apart and numbered 1, 2, 3 … in their `X:` fields. */
export function joinTunes(tunes: readonly (Tune | string)[]): string {
  const numbered = tunes.map((tune, index) => {
    const abc = typeof tune === 'string' ? cleanAbc(tune) : tune.abc;
    const oneBlock = abc.replace(/\n{2,}/g, '\n'); // a blank line would end the tune
    return `X:${index + 1}\n${oneBlock.replace(/^X:.*\n?/m, '')}`;
  });
  return `${numbered.join('\n\n')}\n`;
}
