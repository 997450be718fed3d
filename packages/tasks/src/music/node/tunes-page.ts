import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isOstinatoError } from '@ostinato/core';
import { tuneToMidi } from '../midi.ts';
import { type ParsedTune, parseTune } from '../parse.ts';
import { readTune } from '../tune.ts';
import { type TuneReport, validateTune } from '../validate.ts';
import { pageScript } from './page-script.ts';
import { pageStyle } from './page-style.ts';

/** A tune on the page. */
export interface PageTune {
  readonly abc: string;
  /** Sentences about the tune that the page lists under it, e.g. how much of it stands in the training data. */
  readonly remarks?: readonly string[] | undefined;
}

/** Options of `tunesToHtml`. */
export interface TunesPageOptions {
  /** Heading of the page. */
  readonly title: string;
  /** A paragraph under the heading, as plain text. */
  readonly introduction?: string | undefined;
  /** An SVG document, e.g. from `lossCurve` of `@ostinato/insight`. */
  readonly lossCurveSvg?: string | undefined;
}

const require = createRequire(import.meta.url);
const libraryFile = (path: string): string => readFileSync(require.resolve(path), 'utf8').replace(/\r\n?/g, '\n');

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, character => entities[character]!);
}

/** JavaScript text that cannot end or comment out the `<script>` around it; in strings and patterns it means the same. */
const inScript = (code: string): string => code.replace(/<\/(?=script)/gi, '<\\/').replace(/<!--/g, '<\\!--');

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `compute()`, or `null` where abcjs cannot read or play the tune: the page then says so. */
function unlessUnreadable<Result>(compute: () => Result): Result | null {
  try {
    return compute();
  } catch (error) {
    if (isOstinatoError(error)) return null;
    throw error;
  }
}

/** A tune with all that the page says about it. */
interface Entry {
  readonly abc: string;
  /** The ABC to draw: the heading shows the title already, and notes about the source stay in the source. */
  readonly score: string;
  readonly title: string;
  readonly parsed: ParsedTune | null;
  readonly report: TuneReport;
  readonly midi: string | null;
  readonly remarks: readonly string[];
}

function toEntry({ abc: text, remarks = [] }: PageTune): Entry {
  const tune = readTune(text);
  const midi = unlessUnreadable(() => base64(tuneToMidi(tune)));
  const parsed = unlessUnreadable(() => parseTune(tune));
  const { abc, body, title } = tune;
  const header = abc.slice(0, abc.length - body.length);
  const score = header.replace(/^[TBDFGHNSZ]:.*\n/gm, '') + body;
  return { abc, score, title: title || 'Untitled', parsed, report: validateTune(tune), midi, remarks };
}

const list = (name: string, sentences: readonly string[]): string =>
  sentences.length === 0
    ? ''
    : `<ul class="${name}">${sentences.map(sentence => `<li>${escapeHtml(sentence)}</li>`).join('')}</ul>`;

function verdict({ valid, problems }: TuneReport): string {
  const unfit = problems.filter(({ kind }) => kind === 'bar').length;
  if (!valid) return `Not valid ABC: ${plural(problems.length - unfit, 'problem')}.`;
  return unfit === 0
    ? 'Valid ABC; every bar adds up.'
    : `Valid ABC; ${plural(unfit, 'bar')} ${unfit === 1 ? 'does' : 'do'} not add up.`;
}

function article({ abc, title, parsed, report, midi, remarks }: Entry, index: number): string {
  const bars = parsed?.bars.filter(({ voice }) => voice === 0).length ?? 0;
  const facts = parsed?.noteCount
    ? [parsed.key === '' ? 'no key' : `Key ${parsed.key}`, parsed.meter ?? 'free meter', plural(bars, 'bar')]
    : ['no notes'];
  const problems = report.problems.map(({ message, line }) =>
    line === undefined ? message : `Line ${line}: ${message}`,
  );
  const download =
    midi === null ? '' : `<a href="data:audio/midi;base64,${midi}" download="tune-${index + 1}.mid">MIDI</a>`;
  return `<article class="${report.valid ? 'valid' : 'invalid'}">
<header><div><h2>${escapeHtml(title)}</h2><p class="meta">${escapeHtml(facts.join(' · '))}</p></div>
<div class="toolbar">${download}<button type="button" aria-pressed="false"${midi === null ? ' disabled' : ''}>Play</button></div></header>
<div class="score"></div>
<p class="verdict">${verdict(report)}</p>
${list('problems', problems)}${list('remarks', remarks)}
<details><summary>ABC source</summary><pre>${escapeHtml(abc)}</pre></details>
</article>`;
}

/**
 * One HTML page that shows tunes as scores and plays them. It holds all that it needs (abcjs, webaudio-tinysynth, the MIDI
 * files, the loss curve), so that it works from a file without a network.
 *
 * Tunes are untrusted text. They are escaped wherever they stand, the loss curve is an image (scripts in it do not run), and a
 * Content-Security-Policy lets the page run its own three scripts, by their hashes, and load nothing.
 *
 * @returns the text of the page, about 0.6 MB and a few kB a tune
 */
export function tunesToHtml(
  tunes: readonly (PageTune | string)[],
  { title, introduction = '', lossCurveSvg = '' }: TunesPageOptions,
): string {
  const entries = tunes.map(tune => toEntry(typeof tune === 'string' ? { abc: tune } : tune));
  const scripts = [
    libraryFile('abcjs/dist/abcjs-basic-min.js'),
    libraryFile('webaudio-tinysynth/webaudio-tinysynth.min.js'),
    pageScript,
  ].map(inScript);
  const hashes = scripts.map(code => `'sha256-${createHash('sha256').update(code).digest('base64')}'`);
  const policy = `default-src 'none'; script-src ${hashes.join(' ')}; style-src 'unsafe-inline'; img-src data:`;
  // `<` as an escape: no text in the data can end its script element.
  const data = JSON.stringify(entries.map(({ score, midi }) => ({ score, midi }))).replace(/</g, '\\u003c');
  const valid = entries.filter(({ report }) => report.valid).length;
  const figure = `<figure><img alt="Loss curve" src="data:image/svg+xml;base64,${base64(lossCurveSvg)}"></figure>`;
  const licences = ['abcjs/dist/abcjs-basic-min.js.LICENSE', 'webaudio-tinysynth/LICENSE'].map(libraryFile);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${pageStyle}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
${introduction === '' ? '' : `<p class="introduction">${escapeHtml(introduction)}</p>`}
<p class="facts">${plural(entries.length, 'tune')}, ${valid} valid ABC</p>
${lossCurveSvg === '' ? '' : figure}
</header>
<div class="controls"><label>Tempo <input type="range" id="tempo" min="50" max="150" step="5" value="100"></label>
<output id="tempo-value" for="tempo">100 %</output></div>
<noscript><p>Scores and sound need JavaScript. The ABC source of each tune is below.</p></noscript>
<main>
${entries.map(article).join('\n')}
</main>
<footer>Scores by abcjs, sound by webaudio-tinysynth; both are part of this page.
<details><summary>Their licences</summary>${licences.map(text => `<pre>${escapeHtml(text)}</pre>`).join('')}</details></footer>
<script type="application/json" id="tunes">${data}</script>
${scripts.map(code => `<script>${code}</script>`).join('\n')}
</body>
</html>
`;
}
