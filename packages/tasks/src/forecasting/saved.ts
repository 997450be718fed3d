import { Rng } from '@ostinato/core';
import type { Checkpoint, Json } from '@ostinato/training';
import { damaged, decodeFile, encodeFile, type FileDtype, type FileFormat, withWeights } from '../shared/saved-file.ts';
import type { ForecasterConfig } from './config.ts';
import { Forecaster } from './model.ts';

/** What is saved beside the parameters: everything that is needed to build the model and to read series for it. */
export interface ForecasterDescription {
  /** Which kind of model this is. */
  readonly kind?: string | undefined;
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
  readonly dtype?: FileDtype | undefined;
}

const format: FileFormat = { where: 'decodeForecaster', name: 'ostinato-forecaster', what: 'a forecaster' };

/** The description of a model, for `trainForecaster({ description })` and for checkpoints. */
export function describeForecaster({
  model,
  names,
  details = null,
}: Omit<EncodeForecasterOptions, 'dtype'>): ForecasterDescription {
  return { kind: format.name, model: model.config, names, details };
}

/** A model as one safetensors file, without the state of its training. */
export async function encodeForecaster({ dtype, ...rest }: EncodeForecasterOptions): Promise<Uint8Array> {
  return encodeFile(format, rest.model, describeForecaster(rest), dtype);
}

/**
 * Reads what `encodeForecaster` or a training run wrote.
 *
 * @throws FormatError when the bytes are damaged or no forecaster; nothing is left behind then
 */
export function decodeForecaster(bytes: Uint8Array): LoadedForecaster {
  const { description, tensors, checkpoint } = decodeFile(bytes, format);
  const { model: config, names, details = null } = description as Partial<ForecasterDescription>;
  const isForecaster = typeof config?.horizon === 'number' && Array.isArray(names) && names.length === config.features;
  if (!isForecaster)
    throw damaged(format, 'the file must describe a forecaster', '{ model, names, details }', 'another');
  return { model: withWeights(new Forecaster({ ...config, rng: new Rng(0) }), tensors), names, details, checkpoint };
}
