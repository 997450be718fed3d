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
import type { SequenceTaggerConfig } from './config.ts';
import { SequenceTagger } from './model.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read texts with it. */
export type SequenceTaggerDescription = ModelDescription<SequenceTaggerConfig>;

/** A sequence tagger with the tokenizer of its texts. */
export type LoadedSequenceTagger = LoadedModel<SequenceTagger>;

/** What `encodeSequenceTagger` writes. */
export type EncodeSequenceTaggerOptions = EncodeModelOptions<SequenceTagger>;

const format: ModelFormat<SequenceTaggerConfig, SequenceTagger> = {
  where: 'decodeSequenceTagger',
  name: 'ostinato-sequence-tagger',
  what: 'a sequence tagger',
  build: config => new SequenceTagger({ ...config, rng: new Rng(0) }),
};

/** The description of a model, for `trainSequenceTagger({ description })` and for checkpoints. */
export function describeSequenceTagger(options: Omit<EncodeSequenceTaggerOptions, 'dtype'>): SequenceTaggerDescription {
  return describeModel(format, options);
}

/** A model and its tokenizer as one safetensors file, without the state of its training: to keep, to publish, to load anywhere. */
export async function encodeSequenceTagger(options: EncodeSequenceTaggerOptions): Promise<Uint8Array> {
  return encodeModel(format, options);
}

/**
 * Reads what `encodeSequenceTagger` or a training run wrote; of a run the weights of its best validation.
 *
 * @throws FormatError when the bytes are damaged or no sequence tagger; nothing is left behind then
 */
export function decodeSequenceTagger(bytes: Uint8Array): LoadedSequenceTagger {
  return decodeModel(bytes, format);
}
