/**
 * What a library's own header says that it was built for, so that a foreign file is never loaded.
 */

const elfMachines: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' };
const machMachines: Readonly<Record<number, string>> = { 16777223: 'x64', 16777228: 'arm64' };
const peMachines: Readonly<Record<number, string>> = { 34404: 'x64', 43620: 'arm64' };

/** `<platform>-<arch>` in Node's words; undefined when it is no 64-bit little-endian ELF, Mach-O or PE file of a known machine. */
export function builtFor(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64) return undefined;
  const named = (platform: string, arch: string | undefined) =>
    arch === undefined ? undefined : `${platform}-${arch}`;
  const magic = view.getUint32(0, true);
  // '\x7fELF', 64 bits, little-endian
  if (magic === 0x464c457f && view.getUint16(4, true) === 0x0102) {
    return named('linux', elfMachines[view.getUint16(18, true)]);
  }
  if (magic === 0xfeedfacf) return named('darwin', machMachines[view.getUint32(4, true)]);
  const header = view.getUint32(60, true);
  // 'MZ', and where it points to 'PE\0\0'
  if ((magic & 0xffff) === 0x5a4d && header <= bytes.length - 6 && view.getUint32(header, true) === 0x4550) {
    return named('win32', peMachines[view.getUint16(header + 4, true)]);
  }
  return undefined;
}
