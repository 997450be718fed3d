import type { SafeTensor } from '@ostinato/weights';

/** CRC-32 as in zip and PNG: polynomial 0xEDB88320, reflected. Finds every error burst of up to 32 bits. */
class Crc32 {
  readonly #table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
    return remainder;
  });
  #remainder = 0xffffffff;

  add(bytes: Uint8Array): void {
    const table = this.#table;
    let remainder = this.#remainder;
    for (let i = 0; i < bytes.length; i++) remainder = table[(remainder ^ bytes[i]!) & 0xff]! ^ (remainder >>> 8);
    this.#remainder = remainder;
  }

  get value(): number {
    return ~this.#remainder >>> 0;
  }
}

/** CRC-32, in hexadecimal, of a text and of tensors with their names, dtypes and shapes, whatever their order. */
export function checksum(text: string, tensors: ReadonlyMap<string, SafeTensor>): string {
  const crc = new Crc32();
  const addText = (part: string): void => crc.add(new TextEncoder().encode(part));
  addText(text);
  for (const [name, { dtype, shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    addText(JSON.stringify([name, dtype, shape]));
    crc.add(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return crc.value.toString(16).padStart(8, '0');
}
