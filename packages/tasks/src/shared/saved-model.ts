import type { Module } from '@ostinato/core';
import { type Tokenizer, tokenizerFromJson } from '@ostinato/tokenizers';
import type { Checkpoint, Json } from '@ostinato/training';
import { damaged, decodeFile, encodeFile, type FileDtype, type FileFormat, withWeights } from './saved-file.ts';

/** What is saved beside the parameters of a model with one tokenizer. */
export interface ModelDescription<Config> {
  /** Name of the format that it has without a training: which kind of model this is. */
  readonly kind?: string | undefined;
  readonly model: Config;
  /** `tokenizer.toJSON()` */
  readonly tokenizer: Json;
  /** The application's own, e.g. how it was trained. */
  readonly details: Json;
}

/** What `encodeModel` writes. */
export interface EncodeModelOptions<Model> {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** Default null. */
  readonly details?: Json | undefined;
  /** F16 and BF16 halve the file. Default 'F32'. */
  readonly dtype?: FileDtype | undefined;
}

/** A model with the tokenizer of its texts. */
export interface LoadedModel<Model> {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly details: Json;
  /** The state of the training, when the file is that of a run; its training takes it as `resume`. */
  readonly checkpoint: Checkpoint | null;
}

type Configured<Config> = Module & { readonly config: Config };

/** One kind of file, of a model with one tokenizer. */
export interface ModelFormat<Config, Model extends Configured<Config>> extends FileFormat {
  build(config: Config): Model;
}

/** The description of a model, for checkpoints of its training. */
export function describeModel<Config, Model extends Configured<Config>>(
  { name }: ModelFormat<Config, Model>,
  { model, tokenizer, details = null }: EncodeModelOptions<Model>,
): ModelDescription<Config> {
  return { kind: name, model: model.config, tokenizer: JSON.parse(JSON.stringify(tokenizer)) as Json, details };
}

/** A model and its tokenizer as one safetensors file, without the state of its training. */
export async function encodeModel<Config, Model extends Configured<Config>>(
  format: ModelFormat<Config, Model>,
  { dtype, ...rest }: EncodeModelOptions<Model>,
): Promise<Uint8Array> {
  return encodeFile(format, rest.model, describeModel(format, rest), dtype);
}

/**
 * Reads what `encodeModel` or a training run wrote.
 *
 * @throws FormatError when the bytes are damaged or of another kind of model; nothing is left behind then
 */
export function decodeModel<Config, Model extends Configured<Config>>(
  bytes: Uint8Array,
  format: ModelFormat<Config, Model>,
): LoadedModel<Model> {
  const { description, tensors, checkpoint } = decodeFile(bytes, format);
  const { model: config, details = null } = description as Partial<ModelDescription<Config>>;
  if (typeof config !== 'object' || config === null) {
    throw damaged(format, `the file must describe ${format.what}`, '{ model, tokenizer, details }', 'another');
  }
  const tokenizer = savedTokenizer(format, description);
  return { model: withWeights(format.build(config), tensors), tokenizer, details, checkpoint };
}

/** The tokenizer of a description. @throws FormatError when there is none, or it is not that of the model */
export function savedTokenizer(format: FileFormat, description: { readonly [key: string]: unknown }): Tokenizer {
  const { model, tokenizer: saved } = description as { model?: { vocabularySize?: number } | null; tokenizer?: Json };
  if (saved === undefined) {
    throw damaged(format, `the file must describe ${format.what}`, '{ model, tokenizer, details }', 'no tokenizer');
  }
  const tokenizer = tokenizerFromJson(saved);
  const [expected, got] = [String(model?.vocabularySize), String(tokenizer.vocabularySize)];
  if (got === expected) return tokenizer;
  throw damaged(format, "the tokenizer's vocabulary must be the model's", expected, got);
}
