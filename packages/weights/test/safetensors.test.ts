import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ArgumentError, FormatError } from '@ostinato/core';
import { readSafetensors, type SafeTensor, toFloat32, writeSafetensors } from '@ostinato/weights';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** A file from its header's text and its data. */
function file(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const entry = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

describe('readSafetensors', () => {
  it.each([
    ['{"a":1', "with '}' here, got the end at character 6"],
    ['{"a" 1}', "with ':' here"],
    ['{"a":1,}', 'with a string here'],
    ['{"a":01}', "with '}' here"],
    ['{}x', 'must end after its closing brace'],
    ['{"a":"\u0001"}', 'with a string here'],
    ['{"a":"\\x"}', 'with a string here'],
    ['{"a":"\\"}', 'with a closing quote'],
    ['{"a":nul}', 'with a value here'],
    ['{"a":1}', 'tensor "a" must be an object'],
    [`{"a":${entry('U8', '[1e0]', '[0,1]')}}`, 'non-negative integers, got 1e0'],
    [`{"a":${entry('U8', '[-0]', '[0,0]')}}`, 'non-negative integers, got -0'],
    [`{"a":${entry('F8_E4M3', '[0]', '[0,0]')}}`, 'unknown dtype, expected F64 | F32'],
    [`{"a":${entry('U8', '[0]', '[0,0]')},"\\u0061":${entry('U8', '[0]', '[0,0]')}}`, 'must name "a" once'],
    [`{"a":${entry('U8', '[9007199254740993]', '[0,1]')}}`, 'non-negative integers'],
  ])('refuses the header %s', (header, message) => {
    expect(() => readSafetensors(file(header))).toThrow(message);
    expect(() => readSafetensors(file(header))).toThrow(FormatError);
  });

  it('refuses BOOL bytes other than 0 and 1', () => {
    const header = `{"a":${entry('BOOL', '[2]', '[0,2]')}}`;
    expect(() => readSafetensors(file(header, Uint8Array.of(0, 2)))).toThrow('BOOL must be bytes 0 and 1');
  });

  it('refuses a header above the limit', () => {
    expect(() => readSafetensors(file('{}          '), { maxHeaderBytes: 8 })).toThrow('expected ≤ 8 bytes, got 12');
  });

  it('reads metadata of megabytes', () => {
    const text = 'a"\\\n'.repeat(1_000_000);
    const bytes = writeSafetensors({ tensors: new Map(), metadata: new Map([['text', text]]) });
    expect(readSafetensors(bytes).metadata.get('text') === text).toBe(true);
  });

  it('reads a view into a larger buffer, at any alignment', () => {
    const bytes = writeSafetensors({
      tensors: new Map([['w', { dtype: 'F32', shape: [2], data: Float32Array.of(1.5, -2) }]]),
    });
    for (let shift = 0; shift < 4; shift++) {
      const padded = new Uint8Array(bytes.length + shift);
      padded.set(bytes, shift);
      expect([...readSafetensors(padded.subarray(shift)).tensors.get('w')!.data]).toEqual([1.5, -2]);
    }
  });

  it('never throws anything but a FormatError', () => {
    const bytes = writeSafetensors({
      tensors: new Map<string, SafeTensor>([
        ['w', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }],
        ['b', { dtype: 'BOOL', shape: [3], data: Uint8Array.of(0, 1, 1) }],
      ]),
      metadata: new Map([['k', 'v']]),
    });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readSafetensors(bytes.slice(0, length)), `${length} bytes`).toThrow(FormatError);
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, flip) => {
        const damaged = bytes.slice();
        damaged[position]! ^= flip;
        try {
          readSafetensors(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), text => {
        expect(() => readSafetensors(file(`{"${text}`))).toThrow(FormatError);
      }),
    );
  });
});

describe('writeSafetensors', () => {
  it('pads the header, aligns the data and does not depend on order', () => {
    const tensors: [string, SafeTensor][] = [
      ['bytes', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ['__proto__', { dtype: 'F64', shape: [], data: Float64Array.of(0.1) }],
      ['1', { dtype: 'I64', shape: [1], data: BigInt64Array.of(-5n) }],
      ['half', { dtype: 'BF16', shape: [0, 4], data: new Uint16Array() }],
    ];
    const bytes = writeSafetensors({ tensors: new Map(tensors) });
    expect(writeSafetensors({ tensors: new Map(tensors.toReversed()) })).toEqual(bytes);
    expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
    const read = readSafetensors(bytes).tensors;
    for (const [name, tensor] of tensors) expect(read.get(name)).toEqual(tensor);
    expect(read.size).toBe(4);
  });

  it.each<[string, string, SafeTensor]>([
    ['x', 'expected Float32Array of 2, got Float32Array of 1', { dtype: 'F32', shape: [2], data: new Float32Array(1) }],
    ['x', 'got Int32Array of 1', { dtype: 'F32', shape: [1], data: new Int32Array(1) }],
    ['x', 'non-negative integers', { dtype: 'F32', shape: [-1, -1], data: new Float32Array(1) }],
    ['x', 'BOOL must be 0 and 1', { dtype: 'BOOL', shape: [1], data: Uint8Array.of(2) }],
    ['\ud800', 'lone surrogates', { dtype: 'F32', shape: [1], data: new Float32Array(1) }],
    ['__metadata__', 'no tensor can be named', { dtype: 'F32', shape: [1], data: new Float32Array(1) }],
  ])('refuses %j: %s', (name, message, tensor) => {
    expect(() => writeSafetensors({ tensors: new Map([[name, tensor]]) })).toThrow(message);
    expect(() => writeSafetensors({ tensors: new Map([[name, tensor]]) })).toThrow(ArgumentError);
  });
});

/** One row of files.json. */
interface GoldenFile {
  readonly file: string;
  readonly expect: 'load' | 'reject';
  readonly what: string;
  readonly tensors?: Record<string, { dtype: string; shape: number[]; data: (number | string)[] }>;
}

const root = join(resolve(process.env['OSTINATO_GOLDENS'] ?? '../shared/goldens'), 'safetensors');

describe.skipIf(!existsSync(root))('files of the reference implementation', () => {
  const list = (): GoldenFile[] => JSON.parse(readFileSync(join(root, 'files.json'), 'utf8')).outputs.files;
  const read = (name: string): Uint8Array => readFileSync(join(root, 'files', name));

  it('covers 10 good and 47 malformed files', () => {
    if (!existsSync(root)) return;
    const files = list();
    expect(files.filter(({ expect }) => expect === 'load').length).toBe(10);
    expect(files.filter(({ expect }) => expect === 'reject').length).toBe(47);
    expect(readdirSync(join(root, 'files')).length).toBe(57);
  });

  it('loads the good ones, to the bit', () => {
    for (const { file, tensors } of list().filter(({ expect }) => expect === 'load')) {
      const got = readSafetensors(read(file)).tensors;
      expect([...got.keys()].sort(), file).toEqual(Object.keys(tensors!).sort());
      for (const [name, tensor] of got) {
        const want = tensors![name]!;
        const isHalf = tensor.dtype === 'F16' || tensor.dtype === 'BF16';
        const values = [...(isHalf ? toFloat32(tensor) : tensor.data)];
        expect(tensor.dtype, `${file} ${name}`).toBe(want.dtype);
        expect(tensor.shape, `${file} ${name}`).toEqual(want.shape);
        expect(values.map(String), `${file} ${name}`).toEqual(want.data.map(String));
      }
    }
  });

  it('refuses the malformed ones, naming what is wrong', () => {
    const reasons: Record<string, RegExp> = {
      empty_file: /8 bytes of header length, got 0/,
      short_length: /8 bytes of header length, got 5/,
      truncated_header: /ends inside its header/,
      truncated_data: /ends inside its data/,
      header_length_huge: /header is too long/,
      header_length_max: /header is too long/,
      header_length_over_limit: /header is too long/,
      header_length_zero: /must begin with '\{'/,
      header_length_too_short: /must be JSON/,
      header_length_too_long: /must be UTF-8/,
      trailing_zero_bytes: /goes on after its last tensor/,
      overlapping_offsets: /"b" must begin where the last one ends/,
      same_offsets: /"b" must begin where the last one ends/,
      hole: /belong to no tensor/,
      offset_out_of_range: /must span dtype × shape|ends inside its data/,
      offset_reversed: /must span dtype × shape/,
      offset_negative: /non-negative integers, got -24/,
      offset_fraction: /non-negative integers, got 24.5/,
      offset_three: /must be \[begin, end\]/,
      offset_not_zero: /belong to no tensor/,
      offset_huge: /non-negative integers/,
      bad_dtype: /unknown dtype.*got "F31"/,
      dtype_number: /unknown dtype.*got 32/,
      size_mismatch: /must span dtype × shape/,
      dtype_size_mismatch: /must span dtype × shape, expected 48 bytes/,
      shape_nan: /with a value here, got "NaN/,
      shape_infinity: /non-negative integers|with a value here/,
      shape_fraction: /non-negative integers, got 2.5/,
      shape_negative: /non-negative integers, got -2/,
      shape_string: /non-negative integers, got "2"/,
      shape_overflow: /must span dtype × shape|non-negative integers/,
      shape_not_array: /shape must be an array, got 6/,
      missing_dtype: /unknown dtype.*got nothing/,
      missing_shape: /shape must be an array, got nothing/,
      missing_data_offsets: /data_offsets must be an array, got nothing/,
      duplicate_keys: /once/,
      non_utf8_header: /must be UTF-8/,
      header_not_json: /must be JSON/,
      header_array: /must begin with '\{'/,
      header_null: /must begin with '\{'/,
      header_leading_spaces: /must begin with '\{'/,
      tensor_null: /must be an object/,
      metadata_not_strings: /must be a string/,
      metadata_array: /__metadata__ must be an object/,
      deep_nesting: /nested deeper than 16|must begin with/,
      lone_surrogate_name: /lone surrogate/,
      random_bytes: /header is too long/,
    };
    for (const { file } of list().filter(({ expect }) => expect === 'reject')) {
      const name = file.replace('.safetensors', '');
      expect(reasons, name).toHaveProperty(name);
      expect(() => readSafetensors(read(file)), name).toThrow(reasons[name]);
      expect(() => readSafetensors(read(file)), name).toThrow(FormatError);
    }
  });

  it('writes what the reference implementation writes, byte for byte', () => {
    const names = readdirSync(root).filter(name => name.endsWith('.safetensors'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const bytes = new Uint8Array(readFileSync(join(root, name)));
      const same = Buffer.compare(writeSafetensors(readSafetensors(bytes)), bytes) === 0;
      expect(same, name).toBe(true);
    }
  });
});
