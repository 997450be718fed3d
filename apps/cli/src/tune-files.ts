import { parse } from 'node:path';
import { OstinatoError } from '@ostinato/core';
import { isCopy, joinTunes, readTune, type Tune, tuneToMidi, validateTune } from '@ostinato/tasks/music';
import { tunesToHtml } from '@ostinato/tasks/music/node';
import { writeFileAtomic } from '@ostinato/weights/node';
import { writeText } from './run-folder.ts';

/** Where to write tunes. Absent: not there. */
export interface TuneFiles {
  readonly abc?: string | undefined;
  /** One file a tune: with several tunes `tunes.mid` becomes `tunes-1.mid`, `tunes-2.mid`, … */
  readonly midi?: string | undefined;
  readonly html?: string | undefined;
}

/** What the page says besides the tunes. */
export interface PageText {
  readonly title: string;
  readonly introduction: string;
  readonly lossCurveSvg?: string | undefined;
  /** The tunes that the model learned from, to say which of the new ones are copies. */
  readonly learned?: readonly string[] | undefined;
}

/** Text of generated tunes as tunes, numbered from 1; text without notes or header stays as it is. */
export function asTunes(texts: readonly string[]): Tune[] {
  return texts.map((text, index) => readTune(text.replace(/^X:.*$/m, `X:${index + 1}`)));
}

/** Share of the tunes that parse without an error or a warning. */
export function shareOfValid(tunes: readonly Tune[]): number {
  return tunes.filter(tune => validateTune(tune).valid).length / Math.max(1, tunes.length);
}

/** A line for every tune with a problem: the first of its problems, those that make it invalid before others. */
export function problemLines(tunes: readonly Tune[]): string[] {
  return tunes.flatMap((tune, index) => {
    const { valid, problems } = validateTune(tune);
    const [first] = [...problems].sort((a, b) => Number(a.kind === 'bar') - Number(b.kind === 'bar'));
    if (first === undefined) return [];
    const line = first.line === undefined ? '' : `line ${first.line}: `;
    const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
    return [`tune ${index + 1} ${valid ? 'has an uneven bar' : 'is not valid'}: ${line}${first.message}${more}`];
  });
}

/**
 * Writes the tunes, each file whole or not at all.
 *
 * @returns the paths of what was written, and sentences about tunes that cannot be MIDI
 */
export async function writeTunes(
  tunes: readonly Tune[],
  { abc, midi, html }: TuneFiles,
  page: PageText,
): Promise<{ written: string[]; left: string[] }> {
  const written: string[] = [];
  const left: string[] = [];
  if (abc !== undefined) {
    await writeText(abc, joinTunes(tunes));
    written.push(abc);
  }
  if (midi !== undefined) {
    for (const [index, tune] of tunes.entries()) {
      try {
        const path = numbered(midi, index, tunes.length);
        await writeFileAtomic(path, tuneToMidi(tune));
        written.push(path);
      } catch (error) {
        if (!(error instanceof OstinatoError)) throw error;
        left.push(`tune ${index + 1} has no MIDI file: ${error.message}`);
      }
    }
  }
  if (html !== undefined) {
    const { title, introduction, lossCurveSvg = '', learned = [] } = page;
    const pageTunes = tunes.map(tune => ({
      abc: tune.abc,
      remarks: isCopy(tune, learned) ? ['A copy of a tune that the model learned from.'] : [],
    }));
    await writeText(html, tunesToHtml(pageTunes, { title, introduction, lossCurveSvg }));
    written.push(html);
  }
  return { written, left };
}

function numbered(path: string, index: number, count: number): string {
  if (count === 1) return path;
  const { dir, name, ext } = parse(path);
  return `${dir === '' ? '' : `${dir}/`}${name}-${index + 1}${ext}`;
}
