/**
 * One WebAssembly module as another with some functions exchanged: the builds of the kernels differ in few. A module is 8 bytes
 * and sections, each a byte that says what it is, its length, and its contents; those of the code are the number of functions and
 * each function with its length before it. Numbers are LEB128 (WebAssembly specification, "Binary Format").
 */

/** A number and where it ends. */
function numberAt(bytes: Uint8Array, at: number): [value: number, end: number] {
  let [value, factor, end] = [0, 1, at];
  for (; bytes[end]! >= 128; factor *= 128) value += (bytes[end++]! - 128) * factor;
  return [value + bytes[end]! * factor, end + 1];
}

function bytesOf(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...bytesOf(Math.floor(value / 128))];
}

/** The module before the length of its code, the functions in order, and the module behind them. */
export function functionsOf(module: Uint8Array): { before: Uint8Array; functions: Uint8Array[]; behind: Uint8Array } {
  for (let at = 8; at < module.length; ) {
    const [length, start] = numberAt(module, at + 1);
    if (module[at] !== 10) {
      at = start + length;
      continue;
    }
    const functions: Uint8Array[] = [];
    const [count, first] = numberAt(module, start);
    for (let from = first; functions.length < count; ) {
      const [size, body] = numberAt(module, from);
      functions.push(module.subarray(from, body + size));
      from = body + size;
    }
    return { before: module.subarray(0, at + 1), functions, behind: module.subarray(start + length) };
  }
  throw new Error('functionsOf: the module has no code.');
}

/** The module with the functions that `changes` has in place of those of the same index. */
export function withFunctions(
  module: Uint8Array,
  changes: Readonly<Record<number, Uint8Array>>,
): Uint8Array<ArrayBuffer> {
  const { before, functions, behind } = functionsOf(module);
  const all = functions.map((body, i) => changes[i] ?? body);
  const count = bytesOf(all.length);
  const length = bytesOf(all.reduce((sum, body) => sum + body.length, count.length));
  const parts = [before, length, count, ...all, behind];
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
