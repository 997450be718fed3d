import { ArgumentError, checkNumber } from '@ostinato/core';
import { darkTheme, lightTheme, seriesColour } from './figure.ts';

/** A token, and how much it speaks for something (above 0) or against it. */
export interface ScoredToken {
  readonly token: string;
  readonly score: number;
}

/** Options of `tokenScoresFigure`. */
export interface TokenScoresFigureOptions {
  readonly tokens: readonly ScoredToken[];
  /** Heading of the figure. */
  readonly title?: string | undefined;
  /** Width in pixels; the height follows from the text. Default 720. */
  readonly width?: number | undefined;
  /** The score that is drawn in full colour. Default: the largest of these tokens, either way. */
  readonly scale?: number | undefined;
}

/** Options of `tokenScoresText`. */
export interface TokenScoresTextOptions {
  readonly tokens: readonly ScoredToken[];
  /** Colours of a terminal; without them, tokens are marked with `+` and `-` signs. Default false. */
  readonly colour?: boolean | undefined;
  /** The score of full colour, or three signs. Default: the largest of these tokens, either way. */
  readonly scale?: number | undefined;
}

/** Each score as a share of the scale, −1 … 1. */
function shares(where: string, tokens: readonly ScoredToken[], scale: number | undefined): number[] {
  if (scale !== undefined) checkNumber(where, 'scale', scale, { above: 0 });
  const wrong = tokens.find(({ score }) => !Number.isFinite(score));
  if (wrong) {
    const rule = 'every score must be finite';
    throw new ArgumentError({ where, rule, got: `${wrong.score} of ${JSON.stringify(wrong.token)}` });
  }
  const whole = scale ?? tokens.reduce((most, { score }) => Math.max(most, Math.abs(score)), 0);
  return tokens.map(({ score }) => (whole === 0 ? 0 : Math.max(-1, Math.min(1, score / whole))));
}

const lineHeight = 28;
const padding = 18;

/** Estimated width in pixels of text at 15 px: there is no font to measure outside a browser. */
const textWidth = (text: string): number => 8.6 * [...text].length + 8;

const escaped = (text: string): string =>
  text
    // What XML 1.0 allows in no form.
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);

/**
 * A text as running words, each on a background as deep as its score: blue speaks for the class, orange against it. For scores such as
 * `saliency` and `occlusion` of `@ostinato/tasks/sentiment` give.
 *
 * @returns standalone SVG text, the same for the same data in Node, in pages and in workers
 * @throws ArgumentError when there is no token, a score is not finite, or an option out of range
 */
export function tokenScoresFigure({ tokens, title = '', width = 720, scale }: TokenScoresFigureOptions): string {
  const where = 'tokenScoresFigure';
  checkNumber(where, 'width', width, { min: 200 });
  if (tokens.length === 0) throw new ArgumentError({ where, rule: 'there must be a token', got: 'none' });
  const parts = shares(where, tokens, scale);
  const top = title === '' ? padding : padding + 34;
  let [x, line] = [padding, 0];
  const words = tokens.map(({ token, score }, i) => {
    const wide = textWidth(token);
    if (x > padding && x + wide > width - padding) {
      x = padding;
      line++;
    }
    const place = { x, y: top + line * lineHeight };
    x += wide + 2;
    const fill = seriesColour(parts[i]! < 0 ? 1 : 0);
    const depth = Number((0.85 * Math.abs(parts[i]!)).toFixed(3));
    const rounded = Number(score.toPrecision(3));
    return (
      `<g><title>${escaped(token)}: ${rounded}</title>` +
      `<rect x="${round(place.x)}" y="${place.y}" width="${round(wide)}" height="22" rx="4" fill="${fill}" fill-opacity="${depth}"/>` +
      `<text x="${round(place.x + wide / 2)}" y="${place.y + 16}" text-anchor="middle" textLength="${round(wide - 8)}" lengthAdjust="spacingAndGlyphs">${escaped(token)}</text></g>`
    );
  });
  const height = top + (line + 1) * lineHeight + padding - 6;
  const strongest = tokens[parts.reduce((best, part, i) => (Math.abs(part) > Math.abs(parts[best]!) ? i : best), 0)]!;
  const description = `${tokens.length} tokens; the strongest is ${strongest.token}, ${Number(strongest.score.toPrecision(3))}.`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escaped(title === '' ? 'Figure' : title)}" aria-description="${escaped(description)}"`,
    ` width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="15" style="color: ${lightTheme.text}">`,
    `<style>text { fill: currentColor } @media (prefers-color-scheme: dark) { svg { color: ${darkTheme.text} !important } .background { fill: ${darkTheme.background} } }</style>`,
    `<rect class="background" width="100%" height="100%" fill="${lightTheme.background}"/>`,
    title === ''
      ? ''
      : `<text x="${padding}" y="${padding + 14}" font-size="16" font-weight="600">${escaped(title)}</text>`,
    ...words,
    '</svg>',
  ].join('');
}

const round = (value: number): number => Number(value.toFixed(1));

/**
 * The same in one line of a terminal: with colours, words on a blue (for) or orange (against) background; without, `good+++ but long-`,
 * a sign for every third of the scale.
 *
 * @throws ArgumentError when a score is not finite, or scale not above 0
 */
export function tokenScoresText({ tokens, colour = false, scale }: TokenScoresTextOptions): string {
  const parts = shares('tokenScoresText', tokens, scale);
  const words = tokens.map(({ token }, i) => {
    const part = parts[i]!;
    const level = Math.round(3 * Math.abs(part));
    if (level === 0) return token;
    if (!colour) return token + (part < 0 ? '-' : '+').repeat(level);
    const background = (part < 0 ? [223, 216, 209] : [153, 111, 69])[level - 1]!;
    return `\u001b[48;5;${background}m\u001b[30m${token}\u001b[0m`;
  });
  return words.join(' ');
}
