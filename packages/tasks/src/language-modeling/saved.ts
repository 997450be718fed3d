import { FormatError, parameters } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';
import type { Checkpoint, Json } from '@ostinato/training';
import { assignParameters } from '@ostinato/weights';
import { damaged, decodeFile, encodeFile, type FileDtype, type FileFormat } from '../shared/saved-file.ts';
import { savedTokenizer } from '../shared/saved-model.ts';
import { architectures, type LanguageModelConfig, type RecurrentLayer } from './config.ts';
import { type AnyLanguageModel, createLanguageModel, savedOptions } from './transformer.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read and write text with it. */
export interface LanguageModelDescription {
  /** Which kind of model this is. */
  readonly kind?: string | undefined;
  readonly model: LanguageModelConfig;
  /** Whether the model was built on a recurrent layer of its own, which `model` does not describe. */
  readonly ownRecurrent: boolean;
  /** `tokenizer.toJSON()` */
  readonly tokenizer: Json;
  /** The application's own, e.g. how it was trained. */
  readonly details: Json;
}

/** A language model with the tokenizer of its texts. */
export interface LoadedLanguageModel {
  readonly model: AnyLanguageModel;
  readonly tokenizer: Tokenizer;
  readonly details: Json;
  /** The state of the training, when the file is that of a run; `trainLanguageModel({ resume })` takes it. */
  readonly checkpoint: Checkpoint | null;
}

/** What `encodeLanguageModel` writes. */
export interface EncodeLanguageModelOptions {
  readonly model: AnyLanguageModel;
  readonly tokenizer: Tokenizer;
  /** Default null. */
  readonly details?: Json | undefined;
  /** F16 and BF16 halve the file. Default 'F32'. */
  readonly dtype?: FileDtype | undefined;
}

/** What `decodeLanguageModel` cannot know from the file. */
export interface DecodeLanguageModelOptions {
  /**
   * A layer made as the one that the model was built with, when that was one of its own. Its weights become those of the file;
   * that it computes the same from them (an activation has no weights) is the caller's to know.
   */
  readonly recurrent?: RecurrentLayer | undefined;
}

const format: FileFormat = {
  where: 'decodeLanguageModel',
  name: 'ostinato-language-model',
  what: 'a language model',
};

/** The description of a model, for `trainLanguageModel({ description })` and for checkpoints. */
export function describeLanguageModel({
  model,
  tokenizer,
  details = null,
}: Omit<EncodeLanguageModelOptions, 'dtype'>): LanguageModelDescription {
  const { config, ownRecurrent } = model;
  const saved = JSON.parse(JSON.stringify(tokenizer)) as Json;
  return { kind: format.name, model: config, ownRecurrent, tokenizer: saved, details };
}

/** A model and its tokenizer as one safetensors file, without the state of its training: to keep, to publish, to load anywhere. */
export async function encodeLanguageModel({ dtype, ...rest }: EncodeLanguageModelOptions): Promise<Uint8Array> {
  return encodeFile(format, rest.model, describeLanguageModel(rest), dtype);
}

/**
 * Reads what `encodeLanguageModel` or a training run wrote.
 *
 * @throws FormatError when the bytes are damaged or no language model, or were saved from a model on a layer of its own and
 * `recurrent` is missing, or the other way round; nothing is left behind then
 */
export function decodeLanguageModel(
  bytes: Uint8Array,
  { recurrent }: DecodeLanguageModelOptions = {},
): LoadedLanguageModel {
  const { description, tensors, checkpoint } = decodeFile(bytes, format);
  const { model: config, ownRecurrent = false, details = null } = description as Partial<LanguageModelDescription>;
  if (typeof config !== 'object' || config === null || !architectures.includes(config.architecture ?? 'lstm')) {
    throw damaged(format, 'the file must describe a language model', '{ model, tokenizer, details }', 'another');
  }
  const tokenizer = savedTokenizer(format, description);
  checkRecurrent(ownRecurrent, recurrent);
  const model = createLanguageModel(savedOptions(config, recurrent));
  try {
    assignParameters(parameters(model), tensors);
  } catch (error) {
    // The layer of the caller stays his.
    const given = new Set(recurrent ? parameters(recurrent).values() : []);
    for (const variable of parameters(model).values()) if (!given.has(variable)) variable.dispose();
    throw error;
  }
  return { model, tokenizer, details, checkpoint };
}

/** A model on a layer of its own needs that layer; any other is rebuilt from its configuration alone. */
function checkRecurrent(own: boolean, recurrent: RecurrentLayer | undefined): void {
  if (own === (recurrent !== undefined)) return;
  throw new FormatError({
    where: format.where,
    rule: own
      ? 'the model was built on a recurrent layer of its own, which the file does not describe'
      : 'the recurrent layer is rebuilt from the configuration in the file',
    expected: own ? 'recurrent' : 'no recurrent',
    got: own ? 'none' : 'one',
    advice: own ? 'Pass { recurrent: … }, a layer made with the same options.' : 'Leave recurrent out.',
  });
}
