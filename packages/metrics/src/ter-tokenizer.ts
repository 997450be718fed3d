import { separateAsciiSymbols, separateMarksOfNumbers, unescapeEntities } from './bleu-tokenizers.ts';
import { splitWords, trimRight } from './text.ts';

/** How `corpusTer` cuts text into words. */
export interface TerTokenization {
  readonly normalized: boolean;
  readonly removePunctuation: boolean;
  readonly asian: boolean;
  readonly caseSensitive: boolean;
}

const asianPunctuation = /[\u3001\u3002\u3008-\u3011\u3014-\u301f\uff61-\uff65\u30fb]/g;
const fullWidthPunctuation = /[\uff0e\uff0c\uff1f\uff1a\uff1b\uff01\uff02\uff08\uff09]/g;

/** The words of a text as Tercom's tokenizer has them (Normalizer.java of jhclark/tercom). */
export function tokenizeForTer(text: string, options: TerTokenization): string[] {
  const { normalized, removePunctuation, asian, caseSensitive } = options;
  let result = trimRight(text);
  if (!caseSensitive) result = result.toLowerCase();
  if (normalized) {
    result = normalizeWestern(result);
    if (asian) result = separateAsian(result);
  }
  if (removePunctuation) {
    result = result.replace(/[.,?:;!"()]/g, '');
    if (asian) result = result.replace(asianPunctuation, '').replace(fullWidthPunctuation, '');
  }
  return splitWords(result);
}

function normalizeWestern(text: string): string {
  const plain = unescapeEntities(text.replaceAll('\n-', '').replaceAll('\n', ' '));
  const separated = separateAsciiSymbols(` ${plain} `).replaceAll("'s ", " 's ").replace(/'s$/, " 's");
  return separateMarksOfNumbers(separated);
}

/*
 * Tercom's rules for runs of kana ask for the beginning of the text, which by now is a space: they never apply. The end of
 * "enclosed letters" is U+3F22 there, presumably meant to be U+32FF; equal figures need the same.
 */
function separateAsian(text: string): string {
  return [
    /[\u4e00-\u9fff\u3400-\u4dbf]/g,
    /[\u31c0-\u31ef\u2e80-\u2eff]/g,
    /[\u3300-\u33ff\uf900-\ufaff\ufe30-\ufe4f]/g,
    /[\u3200-\u3f22]/g,
    asianPunctuation,
    fullWidthPunctuation,
  ].reduce((result, characters) => result.replace(characters, ' $& '), text);
}
