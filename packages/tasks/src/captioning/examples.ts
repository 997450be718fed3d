import { ArgumentError } from '@ostinato/core';
import { padSequences } from '@ostinato/data';
import { type Tokenizer, WordTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { Captioner } from './model.ts';

/** What a model reads of a picture: `pictureValues` of it, or features, [positions, featureSize] row after row. */
export type PictureValues = Float32Array;

/** A picture and what is said of it. */
export interface CaptionedPicture {
  readonly values: PictureValues;
  /** At least one. */
  readonly captions: readonly string[];
}

/**
 * A tokenizer of captions, by words, with the special tokens that a captioner needs.
 *
 * @throws ArgumentError when there is no caption
 */
export function trainCaptionTokenizer(
  captions: readonly string[],
  { lowercase = true, minimumFrequency = 1 }: { readonly lowercase?: boolean; readonly minimumFrequency?: number } = {},
): Tokenizer {
  if (captions.length === 0) {
    throw new ArgumentError({ where: 'trainCaptionTokenizer', rule: 'there must be a caption', got: 'none' });
  }
  const specialTokens = { padding: '<pad>', unknown: '<unk>', beginning: '<s>', end: '</s>' } as const;
  return WordTokenizer.train(captions, { lowercase, minimumFrequency, separatePunctuation: true, specialTokens });
}

/** The ids of a caption's beginning and end. @throws ArgumentError when the tokenizer lacks one, or is not the model's */
export function checkTokenizer(
  where: string,
  { vocabularySize, beginningId: beginning, endId: end }: Tokenizer,
  model: Captioner,
): { readonly beginning: number; readonly end: number } {
  if (vocabularySize !== model.config.vocabularySize) {
    const [expected, got] = [`${model.config.vocabularySize} tokens`, `${vocabularySize}`];
    throw new ArgumentError({ where, rule: "the tokenizer's vocabulary must be the model's", expected, got });
  }
  if (beginning === undefined || end === undefined) {
    const rule = 'the tokenizer must have tokens for the beginning and the end';
    throw new ArgumentError({ where, rule, got: 'none', advice: 'Make it with trainCaptionTokenizer.' });
  }
  return { beginning, end };
}

/** How many numbers a model reads of a picture. */
function valuesOf({ config }: Captioner): number {
  const { encoder, side, positions, featureSize } = config;
  return encoder === 'features' ? positions * featureSize : 3 * side * side;
}

/** @throws ArgumentError naming the picture whose numbers are not as many as the model reads, or are not finite */
export function checkValues(where: string, pictures: readonly PictureValues[], model: Captioner): void {
  const expected = valuesOf(model);
  pictures.forEach((values, i) => {
    if (values.length !== expected) {
      const rule = `picture ${i} must have as many values as the model reads`;
      const advice = 'Make them with pictureValues(picture, model.config.side).';
      throw new ArgumentError({ where, rule, expected: `${expected}`, got: `${values.length}`, advice });
    }
    const wrong = values.findIndex(value => !Number.isFinite(value));
    if (wrong < 0) return;
    const got = `${values[wrong]} at ${wrong}`;
    throw new ArgumentError({ where, rule: `the values of picture ${i} must be finite`, got });
  });
}

/** Pictures as a batch: float32 [batch, side, side, 3] or [batch, positions, featureSize]. */
export function batchOf(pictures: readonly PictureValues[], { config }: Captioner): tf.Tensor {
  const { encoder, side, positions, featureSize } = config;
  const shape = encoder === 'features' ? [positions, featureSize] : [side, side, 3];
  const all = new Float32Array(pictures.length * shape.reduce((a, b) => a * b));
  pictures.forEach((values, i) => {
    all.set(values, i * values.length);
  });
  return tf.tensor(all, [pictures.length, ...shape]);
}

/** Captions as what is read and what is told: int32 [batch, time] each, labels −1 behind the end. */
export function captionTensors(captions: readonly Int32Array[]): {
  readonly target: tf.Tensor2D;
  readonly labels: tf.Tensor2D;
  /** How many are told. */
  readonly tokens: number;
} {
  const target = padSequences(captions.map(ids => ids.subarray(0, -1)));
  const labels = padSequences(
    captions.map(ids => ids.subarray(1)),
    { paddingId: -1 },
  );
  return {
    target: tf.tensor2d(target.ids, target.shape, 'int32'),
    labels: tf.tensor2d(labels.ids, labels.shape, 'int32'),
    tokens: labels.lengths.reduce((sum, length) => sum + length, 0),
  };
}

/** Captions as ids, with beginning and end. */
export function encodeCaptions(tokenizer: Tokenizer, captions: readonly string[]): Int32Array[] {
  return captions.map(caption => tokenizer.encode(caption, { addBeginning: true, addEnd: true }));
}
