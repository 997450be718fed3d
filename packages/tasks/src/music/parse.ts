import { FormatError } from '@ostinato/core';
import abcjs, { type TuneObject } from 'abcjs';
import { type Bar, barsOf } from './bars.ts';
import { readTune, type Tune } from './tune.ts';

/** Something that abcjs could not read as ABC. */
export interface ParseWarning {
  readonly message: string;
  /** 1 for the first line of the tune's ABC; absent when abcjs does not say. */
  readonly line?: number;
  /** 1 for the first character of the line. */
  readonly column?: number;
}

/** A tune as abcjs reads it. */
export interface ParsedTune {
  readonly title: string;
  /** Key in ABC spelling, e.g. `D`, `Am`, `Ador`; empty when there is none. */
  readonly key: string;
  /** Meter, e.g. `6/8`; `null` in free meter. `C` is `4/4` and `C|` is `2/2`. */
  readonly meter: string | null;
  /** Notes and chords of all voices, each counted once however often it is repeated. */
  readonly noteCount: number;
  readonly bars: readonly Bar[];
  readonly warnings: readonly ParseWarning[];
}

const decode = (text: string): string =>
  text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&').replace(/\s+/g, ' ').trim();

/** abcjs words a warning as `Music Line:6:12: Unknown character ignored:  abc<span …>#</span>def`, with HTML inside. */
function readWarning(text: string): ParseWarning {
  const parts = /^Music Line:(\d+):(\d+): (.*?): {2}(.*)$/s.exec(text);
  if (!parts) return { message: decode(text) };
  const [, line, column, rule, excerpt] = parts;
  const character = /<span[^>]*>(.*?)<\/span>/s.exec(excerpt!)?.[1] ?? '';
  return { message: `${decode(rule!)}: '${decode(character)}'`, line: Number(line), column: Number(column) };
}

/**
 * The abcjs tune behind a `Tune` or text; for modules of this folder, which do not hand it on.
 *
 * @throws FormatError when abcjs fails on the text
 */
export function parseWithAbcjs(source: Tune | string): { readonly tune: TuneObject; readonly abc: string } {
  const { abc } = typeof source === 'string' ? readTune(source) : source;
  try {
    return { tune: abcjs.parseOnly(abc)[0], abc };
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError({ where: 'parseTune', rule: 'abcjs must be able to parse the tune', got, cause });
  }
}

/**
 * Parses one tune with abcjs, without a browser. When the text has several, the first is parsed.
 *
 * @throws FormatError when abcjs fails on the text; what it can read around is in `warnings`
 */
export function parseTune(source: Tune | string): ParsedTune {
  const { tune, abc } = parseWithAbcjs(source);
  const { root, acc, mode } = tune.getKeySignature();
  const hasKey = root !== undefined && root !== 'none';
  const items = tune.lines.flatMap(({ staff = [] }) => staff.flatMap(({ voices = [] }) => voices.flat()));
  const hasMeter = tune.lines.some(({ staff = [] }) => staff.some(({ meter }) => meter !== undefined));
  const { num, den } = tune.getMeterFraction();
  return {
    title: tune.metaText.title ?? '',
    key: hasKey ? `${root}${acc}${mode.toLowerCase()}` : '',
    meter: hasMeter ? `${num}/${den}` : null,
    noteCount: items.filter(item => item.el_type === 'note' && item.pitches !== undefined).length,
    bars: barsOf(tune, abc),
    warnings: (tune.warnings ?? []).map(readWarning),
  };
}
