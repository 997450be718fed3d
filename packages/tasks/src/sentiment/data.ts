import { ArgumentError } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';

/** A text and the name of its class. */
export interface LabelledText {
  readonly text: string;
  readonly label: string;
}

/** Texts as tokens, and their classes as numbers. */
export interface EncodedTexts {
  readonly rows: readonly Int32Array[];
  /** int32 [texts]: place of each label in the model's labels. */
  readonly classes: Int32Array;
}

/** The labels that occur, in alphabetical order: what a model's `labels` can be. */
export function labelsOf(examples: readonly LabelledText[]): string[] {
  return [...new Set(examples.map(({ label }) => label))].sort();
}

/** Tokens of texts, the later ones cut. */
export function encodeTexts(
  tokenizer: Tokenizer,
  texts: readonly string[],
  maximumLength: number = Infinity,
): Int32Array[] {
  return texts.map(text => tokenizer.encode(text).slice(0, maximumLength));
}

/**
 * Tokens and classes of examples.
 *
 * @throws ArgumentError naming the first example whose label the model does not have
 */
export function encodeExamples(
  where: string,
  examples: readonly LabelledText[],
  { tokenizer, labels, maximumLength }: { tokenizer: Tokenizer; labels: readonly string[]; maximumLength?: number },
): EncodedTexts {
  const places = new Map(labels.map((label, i) => [label, i]));
  const classes = Int32Array.from(examples, ({ label }, i) => {
    const place = places.get(label);
    if (place !== undefined) return place;
    throw new ArgumentError({
      where,
      rule: `example ${i} must have one of the model's labels`,
      expected: labels.map(known => JSON.stringify(known)).join(' | '),
      got: JSON.stringify(label) ?? 'none',
    });
  });
  const texts = examples.map(({ text }) => text);
  return { rows: encodeTexts(tokenizer, texts, maximumLength), classes };
}
