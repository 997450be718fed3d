import { FormatError, parameters } from '@ostinato/core';
import { type Tokenizer, tokenizerFromJson } from '@ostinato/tokenizers';
import { type Checkpoint, decodeCheckpoint, type Json } from '@ostinato/training';
import { assignParameters, parametersToBytes, readSafetensors, type SafeTensor } from '@ostinato/weights';
import type { LanguageModelConfig, RecurrentLayer } from './config.ts';
import { type AnyLanguageModel, createLanguageModel, savedOptions } from './transformer.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read and write text with it. */
export interface LanguageModelDescription {
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
  readonly dtype?: 'F32' | 'F16' | 'BF16' | undefined;
}

/** What `decodeLanguageModel` cannot know from the file. */
export interface DecodeLanguageModelOptions {
  /**
   * A layer made as the one that the model was built with, when that was one of its own. Its weights become those of the file;
   * that it computes the same from them (an activation has no weights) is the caller's to know.
   */
  readonly recurrent?: RecurrentLayer | undefined;
}

const format = 'ostinato-language-model';
const version = '1';

/** The description of a model, for `trainLanguageModel({ description })` and for checkpoints. */
export function describeLanguageModel({
  model,
  tokenizer,
  details = null,
}: Omit<EncodeLanguageModelOptions, 'dtype'>): LanguageModelDescription {
  const { config, ownRecurrent } = model;
  return { model: config, ownRecurrent, tokenizer: JSON.parse(JSON.stringify(tokenizer)) as Json, details };
}

/** A model and its tokenizer as one safetensors file, without the state of its training: to keep, to publish, to load anywhere. */
export async function encodeLanguageModel({ dtype = 'F32', ...rest }: EncodeLanguageModelOptions): Promise<Uint8Array> {
  const metadata = new Map([
    ['format', format],
    ['version', version],
    ['content', JSON.stringify(describeLanguageModel(rest))],
  ]);
  return parametersToBytes(parameters(rest.model), { dtype, metadata });
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
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata.get('format') !== format) {
    const checkpoint = decodeCheckpoint(bytes);
    return { ...build(checkpoint.config, checkpoint.parameters, recurrent), checkpoint };
  }
  if (metadata.get('version') !== version) {
    throw damaged('the version must be known', version, metadata.get('version') ?? 'none');
  }
  return { ...build(parse(metadata.get('content') ?? ''), tensors, recurrent), checkpoint: null };
}

function parse(content: string): Json {
  try {
    return JSON.parse(content) as Json;
  } catch {
    throw damaged('the description must be JSON', 'an object', content.slice(0, 40));
  }
}

function build(
  description: Json,
  tensors: ReadonlyMap<string, SafeTensor>,
  recurrent: RecurrentLayer | undefined,
): { model: AnyLanguageModel; tokenizer: Tokenizer; details: Json } {
  const content = (description ?? {}) as Partial<LanguageModelDescription>;
  const { model: config, ownRecurrent = false, tokenizer: saved, details = null } = content;
  if (typeof config !== 'object' || config === null || saved === undefined) {
    throw damaged('the file must describe a language model', '{ model, tokenizer, details }', typeof description);
  }
  checkRecurrent(ownRecurrent, recurrent);
  const tokenizer = tokenizerFromJson(saved);
  if (tokenizer.vocabularySize !== config.vocabularySize) {
    throw damaged(
      "the tokenizer's vocabulary must be the model's",
      String(config.vocabularySize),
      String(tokenizer.vocabularySize),
    );
  }
  const model = createLanguageModel(savedOptions(config, recurrent));
  try {
    assignParameters(parameters(model), tensors);
  } catch (error) {
    const given = new Set(recurrent ? parameters(recurrent).values() : []);
    for (const variable of parameters(model).values()) if (!given.has(variable)) variable.dispose();
    throw error;
  }
  return { model, tokenizer, details };
}

/** A model on a layer of its own needs that layer; any other is rebuilt from its configuration alone. */
function checkRecurrent(own: boolean, recurrent: RecurrentLayer | undefined): void {
  if (own === (recurrent !== undefined)) return;
  throw new FormatError({
    where: 'decodeLanguageModel',
    rule: own
      ? 'the model was built on a recurrent layer of its own, which the file does not describe'
      : 'the recurrent layer is rebuilt from the configuration in the file',
    expected: own ? 'recurrent' : 'no recurrent',
    got: own ? 'none' : 'one',
    advice: own ? 'Pass { recurrent: … }, a layer made with the same options.' : 'Leave recurrent out.',
  });
}

function damaged(rule: string, expected: string, got: string): FormatError {
  const advice = 'Use another copy of the file, or another file.';
  return new FormatError({ where: 'decodeLanguageModel', rule, expected, got, advice });
}
