import { FormatError, type Module, parameters } from '@ostinato/core';
import { type Tokenizer, tokenizerFromJson } from '@ostinato/tokenizers';
import { type Checkpoint, decodeCheckpoint, type Json } from '@ostinato/training';
import { assignParameters, parametersToBytes, readSafetensors, type SafeTensor } from '@ostinato/weights';
import { finalWeights } from './final-weights.ts';

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
  readonly dtype?: 'F32' | 'F16' | 'BF16' | undefined;
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

/** One kind of file. */
export interface ModelFormat<Config, Model extends Configured<Config>> {
  /** Function, for errors. */
  readonly where: string;
  /** In the metadata. */
  readonly name: string;
  /** In words, with its article. */
  readonly what: string;
  build(config: Config): Model;
}

const version = '1';

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
  { dtype = 'F32', ...rest }: EncodeModelOptions<Model>,
): Promise<Uint8Array> {
  const metadata = new Map([
    ['format', format.name],
    ['version', version],
    ['content', JSON.stringify(describeModel(format, rest))],
  ]);
  return parametersToBytes(parameters(rest.model), { dtype, metadata });
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
  const { tensors, metadata } = readSafetensors(bytes);
  const kind = metadata.get('format');
  if (kind === 'ostinato-checkpoint') {
    const checkpoint = decodeCheckpoint(bytes);
    return { ...build(checkpoint.config, finalWeights(checkpoint), format), checkpoint };
  }
  if (kind !== format.name) {
    throw damaged(format, { rule: `the file must be ${format.what}`, expected: format.name, got: kind ?? 'none' });
  }
  const found = metadata.get('version') ?? 'none';
  if (found !== version) throw damaged(format, { rule: 'the version must be known', expected: version, got: found });
  const content = metadata.get('content') ?? '';
  let description: Json;
  try {
    description = JSON.parse(content) as Json;
  } catch {
    const rule = 'the description must be JSON';
    throw damaged(format, { rule, expected: 'an object', got: content.slice(0, 40) });
  }
  return { ...build(description, tensors, format), checkpoint: null };
}

function build<Config, Model extends Configured<Config>>(
  description: Json,
  tensors: ReadonlyMap<string, SafeTensor>,
  format: ModelFormat<Config, Model>,
): Omit<LoadedModel<Model>, 'checkpoint'> {
  const content = (description ?? {}) as Partial<ModelDescription<Config & { readonly vocabularySize?: number }>>;
  const { kind = format.name, model: config, tokenizer: saved, details = null } = content;
  if (kind !== format.name) {
    throw damaged(format, { rule: `the file must be ${format.what}`, expected: format.name, got: kind });
  }
  if (typeof config !== 'object' || config === null || saved === undefined) {
    const rule = `the file must describe ${format.what}`;
    throw damaged(format, { rule, expected: '{ model, tokenizer, details }', got: typeof description });
  }
  const tokenizer = tokenizerFromJson(saved);
  if (tokenizer.vocabularySize !== config.vocabularySize) {
    throw damaged(format, {
      rule: "the tokenizer's vocabulary must be the model's",
      expected: String(config.vocabularySize),
      got: String(tokenizer.vocabularySize),
    });
  }
  const model = format.build(config);
  try {
    assignParameters(parameters(model), tensors);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, tokenizer, details };
}

function damaged(
  { where }: { readonly where: string },
  facts: { readonly rule: string; readonly expected: string; readonly got: string },
): FormatError {
  return new FormatError({ where, ...facts, advice: 'Use another copy of the file, or another file.' });
}
