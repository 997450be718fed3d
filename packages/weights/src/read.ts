import { FormatError } from '@ostinato/core';
import { arrayTypes, type DType, dtypes, type SafeTensor } from './dtype.ts';
import { type Json, JsonNumber, parseJson } from './json.ts';

/** What a safetensors file holds. */
export interface SafeTensors {
  /** By name, in the order of the header. */
  readonly tensors: Map<string, SafeTensor>;
  /** The header's `__metadata__`; empty when there is none. */
  readonly metadata: Map<string, string>;
}

/** Options of `readSafetensors`. */
export interface ReadOptions {
  /** Longest header that is read. Default 100,000,000, the limit of the reference implementation. */
  readonly maxHeaderBytes?: number | undefined;
}

const where = 'readSafetensors';

/** Where a tensor lies in the data section. */
interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function damaged(rule: string, facts: { readonly expected?: string; readonly got?: string } = {}): never {
  const advice = 'The file is damaged, or no safetensors file: copy or download it again.';
  throw new FormatError({ where, rule, ...facts, advice });
}

/**
 * Reads a safetensors file: 8 bytes with the header's length N (little-endian), N bytes of JSON that map each tensor's name
 * to `{ dtype, shape, data_offsets: [begin, end] }`, then the data, which the tensors cover without gap or overlap.
 *
 * The reader is strict. Beyond what the reference implementation refuses it also refuses a name that occurs twice, anything
 * before the header's brace, and BOOL bytes other than 0 and 1. It allocates no more than the file is long.
 *
 * The arrays are views of `bytes` where their offset is aligned to their element, copies elsewhere; changing `bytes`
 * afterwards changes them.
 *
 * Source: https://github.com/huggingface/safetensors, section "Format".
 *
 * @throws FormatError naming what is wrong with the file
 */
export function readSafetensors(bytes: Uint8Array, { maxHeaderBytes = 100_000_000 }: ReadOptions = {}): SafeTensors {
  const { header, dataStart } = readHeader(bytes, maxHeaderBytes);
  const metadata = readMetadata(header.get('__metadata__'));
  const entries = [...header]
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readEntry(name, entry));
  checkCoverage(entries, bytes.length - dataStart);
  const tensors = new Map(entries.map(entry => [entry.name, readTensor(entry, bytes, dataStart)]));
  return { tensors, metadata };
}

function readHeader(
  bytes: Uint8Array,
  maxHeaderBytes: number,
): { header: ReadonlyMap<string, Json>; dataStart: number } {
  if (bytes.length < 8)
    damaged('a safetensors file must begin with 8 bytes of header length', { got: `${bytes.length} bytes` });
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    damaged('the header is too long for a safetensors file', {
      expected: `≤ ${maxHeaderBytes} bytes`,
      got: `${length}`,
    });
  }
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length) {
    damaged('the file ends inside its header', { expected: `≥ ${dataStart} bytes`, got: `${bytes.length}` });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, dataStart));
  } catch {
    damaged('the header must be UTF-8');
  }
  if (!text.startsWith('{')) damaged("the header must begin with '{'", { got: JSON.stringify(text.slice(0, 12)) });
  return { header: parseJson(where, text) as ReadonlyMap<string, Json>, dataStart };
}

function readMetadata(node: Json | undefined): Map<string, string> {
  const metadata = new Map<string, string>();
  if (node === undefined) return metadata;
  if (!(node instanceof Map)) damaged('__metadata__ must be an object');
  for (const [key, value] of node) {
    if (typeof value !== 'string') damaged(`__metadata__ ${JSON.stringify(key)} must be a string`);
    metadata.set(key, value);
  }
  return metadata;
}

function readEntry(name: string, node: Json): Entry {
  const label = `tensor ${JSON.stringify(name)}`;
  if (!(node instanceof Map)) damaged(`${label} must be an object`);
  const dtype = node.get('dtype');
  if (!dtypes.includes(dtype as DType)) {
    damaged(`${label} has an unknown dtype`, { expected: dtypes.join(' | '), got: show(dtype) });
  }
  const shape = readSizes(`${label}: shape`, node.get('shape'));
  const offsets = readSizes(`${label}: data_offsets`, node.get('data_offsets'));
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2) {
    damaged(`${label}: data_offsets must be [begin, end]`, { got: `[${offsets.join(', ')}]` });
  }
  const size = shape.reduce((product, axis) => product * axis, arrayTypes[dtype as DType].BYTES_PER_ELEMENT);
  if (end - begin !== size) {
    damaged(`${label}: data_offsets must span dtype × shape`, {
      expected: `${size} bytes`,
      got: `[${begin}, ${end}]`,
    });
  }
  return { name, dtype: dtype as DType, shape, begin, end };
}

function readSizes(label: string, node: Json | undefined): number[] {
  if (!Array.isArray(node)) damaged(`${label} must be an array`, { got: show(node) });
  return node.map((item: Json) => {
    const size = item instanceof JsonNumber && /^[0-9]+$/.test(item.text) ? Number(item.text) : Number.NaN;
    if (!Number.isSafeInteger(size)) damaged(`${label} must hold non-negative integers`, { got: show(item) });
    return size;
  });
}

function show(node: Json | undefined): string {
  if (node === undefined) return 'nothing';
  if (node instanceof JsonNumber) return node.text;
  if (node instanceof Map) return 'an object';
  return Array.isArray(node) ? 'an array' : JSON.stringify(node);
}

function checkCoverage(entries: readonly Entry[], available: number): void {
  let position = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== position) {
      const rule = begin < position ? 'tensors must not overlap' : 'bytes must not belong to no tensor';
      damaged(`${rule}: tensor ${JSON.stringify(name)} must begin where the last one ends`, {
        expected: `${position}`,
        got: `${begin}`,
      });
    }
    position = end;
  }
  if (position !== available) {
    const rule = position > available ? 'the file ends inside its data' : 'the file goes on after its last tensor';
    damaged(rule, { expected: `${position} bytes of data`, got: `${available}` });
  }
}

function readTensor({ name, dtype, shape, begin, end }: Entry, bytes: Uint8Array, dataStart: number): SafeTensor {
  const ArrayType = arrayTypes[dtype];
  const width = ArrayType.BYTES_PER_ELEMENT;
  const length = (end - begin) / width;
  const offset = bytes.byteOffset + dataStart + begin;
  const data =
    offset % width === 0
      ? new ArrayType(bytes.buffer, offset, length)
      : new ArrayType(new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end)).buffer, 0, length);
  if (dtype === 'BOOL' && (data as Uint8Array).some(byte => byte > 1)) {
    damaged(`tensor ${JSON.stringify(name)}: BOOL must be bytes 0 and 1`);
  }
  return { dtype, shape, data };
}
