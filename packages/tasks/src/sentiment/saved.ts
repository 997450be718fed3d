import { Rng } from '@ostinato/core';
import {
  decodeModel,
  describeModel,
  type EncodeModelOptions,
  encodeModel,
  type LoadedModel,
  type ModelDescription,
  type ModelFormat,
} from '../shared/saved-model.ts';
import type { TextClassifierConfig } from './config.ts';
import { TextClassifier } from './model.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read texts with it. */
export type TextClassifierDescription = ModelDescription<TextClassifierConfig>;

/** A text classifier with the tokenizer of its texts. */
export type LoadedTextClassifier = LoadedModel<TextClassifier>;

/** What `encodeTextClassifier` writes. */
export type EncodeTextClassifierOptions = EncodeModelOptions<TextClassifier>;

const format: ModelFormat<TextClassifierConfig, TextClassifier> = {
  where: 'decodeTextClassifier',
  name: 'ostinato-text-classifier',
  what: 'a text classifier',
  build: config => new TextClassifier({ ...config, rng: new Rng(0) }),
};

/** The description of a model, for `trainTextClassifier({ description })` and for checkpoints. */
export function describeTextClassifier(options: Omit<EncodeTextClassifierOptions, 'dtype'>): TextClassifierDescription {
  return describeModel(format, options);
}

/** A model and its tokenizer as one safetensors file, without the state of its training: to keep, to publish, to load anywhere. */
export async function encodeTextClassifier(options: EncodeTextClassifierOptions): Promise<Uint8Array> {
  return encodeModel(format, options);
}

/**
 * Reads what `encodeTextClassifier` or a training run wrote; of a run the weights of its best validation.
 *
 * @throws FormatError when the bytes are damaged or no text classifier; nothing is left behind then
 */
export function decodeTextClassifier(bytes: Uint8Array): LoadedTextClassifier {
  return decodeModel(bytes, format);
}
