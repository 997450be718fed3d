import { FormatError, parameters, Rng } from '@ostinato/core';
import { type Checkpoint, decodeCheckpoint, type Json } from '@ostinato/training';
import { assignParameters, parametersToBytes, readSafetensors, type SafeTensor } from '@ostinato/weights';
import type { ForecasterConfig } from './config.ts';
import { Forecaster } from './model.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read series for it. */
export interface ForecasterDescription {
  readonly model: ForecasterConfig;
  /** Names of the features, in their order. */
  readonly names: readonly string[];
  /** The application's own, e.g. how it was trained. */
  readonly details: Json;
}

/** A forecaster as it comes from a file. */
export interface LoadedForecaster {
  readonly model: Forecaster;
  readonly names: readonly string[];
  readonly details: Json;
  /** The state of the training, when the file is that of a run; `trainForecaster({ resume })` takes it. */
  readonly checkpoint: Checkpoint | null;
}

/** What `encodeForecaster` writes. */
export interface EncodeForecasterOptions {
  readonly model: Forecaster;
  /** Names of the features: `series.names`. */
  readonly names: readonly string[];
  /** Default null. */
  readonly details?: Json | undefined;
  /** F16 and BF16 halve the file. Default 'F32'. */
  readonly dtype?: 'F32' | 'F16' | 'BF16' | undefined;
}

const format = 'ostinato-forecaster';
const version = '1';

/** The description of a model, for `trainForecaster({ description })` and for checkpoints. */
export function describeForecaster({
  model,
  names,
  details = null,
}: Omit<EncodeForecasterOptions, 'dtype'>): ForecasterDescription {
  return { model: model.config, names, details };
}

/** A model as one safetensors file, without the state of its training. */
export async function encodeForecaster({ dtype = 'F32', ...rest }: EncodeForecasterOptions): Promise<Uint8Array> {
  const metadata = new Map([
    ['format', format],
    ['version', version],
    ['content', JSON.stringify(describeForecaster(rest))],
  ]);
  return parametersToBytes(parameters(rest.model), { dtype, metadata });
}

/**
 * Reads what `encodeForecaster` or a training run wrote.
 *
 * @throws FormatError when the bytes are damaged or no forecaster; nothing is left behind then
 */
export function decodeForecaster(bytes: Uint8Array): LoadedForecaster {
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
): { model: Forecaster; names: readonly string[]; details: Json } {
  const content = (description ?? {}) as unknown as Partial<ForecasterDescription>;
  const { model: config, names, details = null } = content;
  const isForecaster = typeof config?.horizon === 'number' && Array.isArray(names) && names.length === config.features;
  if (!isForecaster) throw damaged('the file must describe a forecaster', '{ model, names, details }', 'another');
  const model = new Forecaster({ ...config, rng: new Rng(0) });
  try {
    assignParameters(parameters(model), tensors);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, names, details };
}

function damaged(rule: string, expected: string, got: string): FormatError {
  const advice = 'Use another copy of the file, or another file.';
  return new FormatError({ where: 'decodeForecaster', rule, expected, got, advice });
}
