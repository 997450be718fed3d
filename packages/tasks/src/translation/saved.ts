import { Rng } from '@ostinato/core';
import { tokenizerFromJson } from '@ostinato/tokenizers';
import type { Checkpoint, Json } from '@ostinato/training';
import { damaged, type FileDtype } from '../shared/saved-file.ts';
import {
  decodeModel,
  describeModel,
  encodeModel,
  type ModelDescription,
  type ModelFormat,
} from '../shared/saved-model.ts';
import type { TranslatorConfig } from './config.ts';
import { createTranslator, type Translator } from './model.ts';
import type { TranslationTokenizers } from './tokenizers.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read and write texts with it. */
export type TranslatorDescription = ModelDescription<TranslatorConfig>;

/** A translator with the tokenizers of its languages. */
export interface LoadedTranslator {
  readonly model: Translator;
  readonly tokenizers: TranslationTokenizers;
  /** The application's own. */
  readonly details: Json;
  /** The state of the training, when the file is that of a run; `trainTranslator({ resume })` takes it. */
  readonly checkpoint: Checkpoint | null;
}

/** What `encodeTranslator` writes. */
export interface EncodeTranslatorOptions {
  readonly model: Translator;
  readonly tokenizers: TranslationTokenizers;
  /** Default null. */
  readonly details?: Json | undefined;
  /** F16 and BF16 halve the file. Default 'F32'. */
  readonly dtype?: FileDtype | undefined;
}

const format: ModelFormat<TranslatorConfig, Translator> = {
  where: 'decodeTranslator',
  name: 'ostinato-translator',
  what: 'a translator',
  build: config => createTranslator({ ...config, rng: new Rng(0) }),
};

/** Both tokenizers in a description of one: that of the target is null where it is that of the source. */
function joined({ model, tokenizers, details = null }: Omit<EncodeTranslatorOptions, 'dtype'>) {
  const { source, target } = tokenizers;
  const targetTokenizer = source === target ? null : (JSON.parse(JSON.stringify(target)) as Json);
  return { model, tokenizer: source, details: { targetTokenizer, details } };
}

/** The description of a model, for `trainTranslator({ description })` and for checkpoints. */
export function describeTranslator(options: Omit<EncodeTranslatorOptions, 'dtype'>): TranslatorDescription {
  return describeModel(format, joined(options));
}

/** A model and its tokenizers as one safetensors file, without the state of its training: to keep, to publish, to load anywhere. */
export async function encodeTranslator({ dtype, ...options }: EncodeTranslatorOptions): Promise<Uint8Array> {
  return encodeModel(format, { ...joined(options), dtype });
}

/**
 * Reads what `encodeTranslator` or a training run wrote; of a run the weights of its best validation.
 *
 * @throws FormatError when the bytes are damaged or no translator; nothing is left behind then
 */
export function decodeTranslator(bytes: Uint8Array): LoadedTranslator {
  const { model, tokenizer: source, details: saved, checkpoint } = decodeModel(bytes, format);
  try {
    const { targetTokenizer, details = null } = readDetails(saved);
    const target = targetTokenizer === null ? source : tokenizerFromJson(targetTokenizer);
    const expected = model.config.targetVocabularySize;
    if (target.vocabularySize !== expected) {
      throw damaged(
        format,
        "the target tokenizer's vocabulary must be the model's",
        String(expected),
        `${target.vocabularySize}`,
      );
    }
    return { model, tokenizers: { source, target }, details, checkpoint };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function readDetails(saved: Json): { readonly targetTokenizer: Json; readonly details?: Json } {
  if (typeof saved === 'object' && saved !== null && 'targetTokenizer' in saved) {
    return saved as { targetTokenizer: Json; details?: Json };
  }
  throw damaged(
    format,
    'the file must describe a translator',
    '{ targetTokenizer, details }',
    JSON.stringify(saved).slice(0, 40),
  );
}
