import { ArgumentError, checkChoice } from '@ostinato/core';
import { arrayTypes, dtypes, type SafeTensor } from './dtype.ts';
import { loneSurrogate } from './json.ts';

/** What `writeSafetensors` writes. */
export interface WriteArguments {
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Free text by key: the header's `__metadata__`. */
  readonly metadata?: ReadonlyMap<string, string> | undefined;
}

const where = 'writeSafetensors';

/** Widest elements first, so that every tensor is aligned to its own; then by name, as the reference implementation does. */
const dtypeOrder = ['U64', 'I64', 'F64', 'F32', 'U32', 'I32', 'BF16', 'F16', 'U16', 'I16', 'I8', 'U8', 'BOOL'];

/**
 * Writes a safetensors file, byte for byte as the reference implementation does: the same tensors and metadata always give
 * the same bytes, whatever their order.
 *
 * @throws ArgumentError when a name is taken or not well-formed, or values, dtype and shape do not fit together
 */
export function writeSafetensors({ tensors, metadata = new Map() }: WriteArguments): Uint8Array {
  for (const [name, tensor] of tensors) checkTensor(name, tensor);
  for (const text of [...metadata].flat()) checkText('metadata', text);
  const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  const ordered = [...tensors].sort(
    ([aName, a], [bName, b]) => dtypeOrder.indexOf(a.dtype) - dtypeOrder.indexOf(b.dtype) || byName(aName, bName),
  );

  // Written by hand: an object literal would reorder keys that look like integers and lose `__proto__`.
  const fields: string[] = [];
  if (metadata.size > 0) {
    const pairs = [...metadata].sort(([a], [b]) => byName(a, b));
    fields.push(`"__metadata__":{${pairs.map(pair => pair.map(text => JSON.stringify(text)).join(':')).join(',')}}`);
  }
  let position = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    const end = position + data.byteLength;
    fields.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${position},${end}]}`);
    position = end;
  }
  const unpadded = new TextEncoder().encode(`{${fields.join(',')}}`);
  const headerLength = Math.ceil(unpadded.length / 8) * 8;

  const bytes = new Uint8Array(8 + headerLength + position);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength); // the padding is spaces
  bytes.set(unpadded, 8);
  let offset = 8 + headerLength;
  for (const [, { data }] of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return bytes;
}

function checkText(name: string, text: string): void {
  if (typeof text === 'string' && !loneSurrogate.test(text)) return;
  throw new ArgumentError({ where, rule: `${name} must be text without lone surrogates`, got: JSON.stringify(text) });
}

function checkTensor(name: string, { dtype, shape, data }: SafeTensor): void {
  const label = `tensor ${JSON.stringify(name)}`;
  checkText('a name', name);
  if (name === '__metadata__') throw new ArgumentError({ where, rule: 'no tensor can be named __metadata__' });
  checkChoice(where, `dtype of ${label}`, dtype, dtypes);
  if (!shape.every(size => Number.isSafeInteger(size) && size >= 0)) {
    throw new ArgumentError({ where, rule: `${label}: shape must be non-negative integers`, got: `[${shape}]` });
  }
  checkValues(where, label, { dtype, shape, data });
  if (dtype === 'BOOL' && (data as Uint8Array).some(byte => byte > 1)) {
    throw new ArgumentError({ where, rule: `${label}: BOOL must be 0 and 1` });
  }
}

/**
 * Checks that a tensor's values are the array of its dtype, as long as its shape says.
 *
 * @throws ArgumentError naming both
 */
export function checkValues(caller: string, label: string, { dtype, shape, data }: SafeTensor): void {
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (data instanceof arrayTypes[dtype] && data.length === size) return;
  throw new ArgumentError({
    where: caller,
    rule: `${label}: values must fit ${dtype} [${shape.join(', ')}]`,
    expected: `${arrayTypes[dtype].name} of ${size}`,
    got: `${data.constructor.name} of ${data.length}`,
  });
}
