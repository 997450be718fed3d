import { FormatError, parameters, Rng } from '@ostinato/core';
import { type Tokenizer, tokenizerFromJson } from '@ostinato/tokenizers';
import { type Checkpoint, decodeCheckpoint, type Json } from '@ostinato/training';
import { assignParameters, parametersToBytes, readSafetensors, type SafeTensor } from '@ostinato/weights';
import type { LanguageModelConfig } from './config.ts';
import { LanguageModel } from './model.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read and write text with it. */
export interface LanguageModelDescription {
  readonly model: LanguageModelConfig;
  /** `tokenizer.toJSON()` */
  readonly tokenizer: Json;
  /** The application's own, e.g. how it was trained. */
  readonly details: Json;
}

/** A language model with the tokenizer of its texts. */
export interface LoadedLanguageModel {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly details: Json;
  /** The state of the training, when the file is that of a run; `trainLanguageModel({ resume })` takes it. */
  readonly checkpoint: Checkpoint | null;
}

/** What `encodeLanguageModel` writes. */
export interface EncodeLanguageModelOptions {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  /** Default null. */
  readonly details?: Json | undefined;
  /** F16 and BF16 halve the file. Default 'F32'. */
  readonly dtype?: 'F32' | 'F16' | 'BF16' | undefined;
}

const format = 'ostinato-language-model';
const version = '1';

/** The description of a model, for `trainLanguageModel({ description })` and for checkpoints. */
export function describeLanguageModel({
  model,
  tokenizer,
  details = null,
}: Omit<EncodeLanguageModelOptions, 'dtype'>): LanguageModelDescription {
  return { model: model.config, tokenizer: JSON.parse(JSON.stringify(tokenizer)) as Json, details };
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
 * @throws FormatError when the bytes are damaged or no language model; nothing is left behind then
 */
export function decodeLanguageModel(bytes: Uint8Array): LoadedLanguageModel {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata.get('format') !== format) {
    const checkpoint = decodeCheckpoint(bytes);
    return { ...build(checkpoint.config, checkpoint.parameters), checkpoint };
  }
  if (metadata.get('version') !== version) {
    throw damaged('the version must be known', version, metadata.get('version') ?? 'none');
  }
  return { ...build(parse(metadata.get('content') ?? ''), tensors), checkpoint: null };
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
): { model: LanguageModel; tokenizer: Tokenizer; details: Json } {
  const { model: config, tokenizer: saved, details = null } = (description ?? {}) as Partial<LanguageModelDescription>;
  if (typeof config !== 'object' || config === null || saved === undefined) {
    throw damaged('the file must describe a language model', '{ model, tokenizer, details }', typeof description);
  }
  const tokenizer = tokenizerFromJson(saved);
  if (tokenizer.vocabularySize !== config.vocabularySize) {
    throw damaged(
      "the tokenizer's vocabulary must be the model's",
      String(config.vocabularySize),
      String(tokenizer.vocabularySize),
    );
  }
  const model = new LanguageModel({ ...config, rng: new Rng(0) });
  try {
    assignParameters(parameters(model), tensors);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, tokenizer, details };
}

function damaged(rule: string, expected: string, got: string): FormatError {
  const advice = 'Use another copy of the file, or another file.';
  return new FormatError({ where: 'decodeLanguageModel', rule, expected, got, advice });
}
