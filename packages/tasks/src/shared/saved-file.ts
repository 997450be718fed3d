import { FormatError, type Module, parameters } from '@ostinato/core';
import { type Checkpoint, decodeCheckpoint, type Json } from '@ostinato/training';
import { assignParameters, parametersToBytes, readSafetensors, type SafeTensor } from '@ostinato/weights';
import { finalWeights } from './final-weights.ts';

/** One kind of file. */
export interface FileFormat {
  /** Function, for errors. */
  readonly where: string;
  /** In the metadata, and as `kind` in the descriptions that checkpoints keep. */
  readonly name: string;
  /** In words, with its article. */
  readonly what: string;
}

/** How numbers are kept: F16 and BF16 halve the file. */
export type FileDtype = 'F32' | 'F16' | 'BF16';

/** What a file holds. */
export interface FileContent {
  readonly description: { readonly [key: string]: unknown };
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** When it is the file of a run. */
  readonly checkpoint: Checkpoint | null;
}

const version = '1';

/** Parameters and what describes their model as one safetensors file. */
export async function encodeFile(
  { name }: FileFormat,
  model: Module,
  description: object,
  dtype: FileDtype = 'F32',
): Promise<Uint8Array> {
  const metadata = new Map([
    ['format', name],
    ['version', version],
    ['content', JSON.stringify(description)],
  ]);
  return parametersToBytes(parameters(model), { dtype, metadata });
}

/**
 * Reads what `encodeFile` or a training run wrote; of a run the weights that it would leave behind.
 *
 * @throws FormatError when the bytes are damaged, or of another kind of model
 */
export function decodeFile(bytes: Uint8Array, format: FileFormat): FileContent {
  const { tensors, metadata } = readSafetensors(bytes);
  const kind = metadata.get('format');
  if (kind === 'ostinato-checkpoint') {
    const checkpoint = decodeCheckpoint(bytes);
    return { description: described(checkpoint.config, format), tensors: finalWeights(checkpoint), checkpoint };
  }
  if (kind !== format.name) throw anotherKind(format, kind ?? 'none');
  const found = metadata.get('version') ?? 'none';
  if (found !== version) throw damaged(format, 'the version must be known', version, found);
  const content = metadata.get('content') ?? '';
  let description: Json;
  try {
    description = JSON.parse(content) as Json;
  } catch {
    throw damaged(format, 'the description must be JSON', 'an object', content.slice(0, 40));
  }
  return { description: described(description, format), tensors, checkpoint: null };
}

/** Gives a new model the weights of a file; disposes it when they do not fit. */
export function withWeights<Model extends Module>(model: Model, tensors: ReadonlyMap<string, SafeTensor>): Model {
  try {
    assignParameters(parameters(model), tensors);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** The error of a file that cannot be used. */
export function damaged({ where }: FileFormat, rule: string, expected: string, got: string): FormatError {
  const advice = 'Use another copy of the file, or another file.';
  return new FormatError({ where, rule, expected, got, advice });
}

/** Checkpoints older than `kind` do not say what they are: what reads them on looks whether all is there. */
function described(description: Json, format: FileFormat): FileContent['description'] {
  const content = (typeof description === 'object' ? description : null) ?? {};
  const { kind = format.name } = content as { kind?: unknown };
  if (kind !== format.name) throw anotherKind(format, String(kind));
  return content as FileContent['description'];
}

const anotherKind = (format: FileFormat, got: string): FormatError =>
  damaged(format, `the file must be ${format.what}`, format.name, got);
