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
import type { CaptionerConfig } from './config.ts';
import { Captioner } from './model.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to write captions with it. */
export type CaptionerDescription = ModelDescription<CaptionerConfig>;

/** A captioner with the tokenizer of its captions. */
export type LoadedCaptioner = LoadedModel<Captioner>;

/** What `encodeCaptioner` writes. */
export type EncodeCaptionerOptions = EncodeModelOptions<Captioner>;

const format: ModelFormat<CaptionerConfig, Captioner> = {
  where: 'decodeCaptioner',
  name: 'ostinato-captioner',
  what: 'a captioner',
  build: config => new Captioner({ ...config, rng: new Rng(0) }),
};

/** The description of a model, for `trainCaptioner({ description })` and for checkpoints. */
export function describeCaptioner(options: Omit<EncodeCaptionerOptions, 'dtype'>): CaptionerDescription {
  return describeModel(format, options);
}

/** A model and its tokenizer as one safetensors file, without the state of its training: to keep, to publish, to load anywhere. */
export async function encodeCaptioner(options: EncodeCaptionerOptions): Promise<Uint8Array> {
  return encodeModel(format, options);
}

/**
 * Reads what `encodeCaptioner` or a training run wrote; of a run the weights of its best validation.
 *
 * @throws FormatError when the bytes are damaged or no captioner; nothing is left behind then
 */
export function decodeCaptioner(bytes: Uint8Array): LoadedCaptioner {
  return decodeModel(bytes, format);
}
