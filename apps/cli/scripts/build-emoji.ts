// npx tsx apps/cli/scripts/build-emoji.ts FOLDER: writes data/emoji/emoji.png and captions.tsv, the pictures of Noto Emoji with their names,
// from the npm package `emoji-datasource-google` unpacked into FOLDER (`npm pack emoji-datasource-google@16.0.0`, then `tar xf`).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

interface Emoji {
  readonly name: string;
  readonly category: string;
  readonly sheet_x: number;
  readonly sheet_y: number;
  readonly has_img_google: boolean;
}

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder of the unpacked package.');
const side = 32;
const all = JSON.parse(readFileSync(join(folder, 'emoji.json'), 'utf8')) as Emoji[];
// Names of countries cannot be seen in their flags, and letters and signs in squares are no pictures.
const chosen = all.filter(
  ({ name, category, has_img_google: drawn }) => drawn && name && category !== 'Flags' && category !== 'Symbols',
);
// Every cell of a sheet has a border of 1 pixel.
const sheet = await sharp(join(folder, 'img/google/sheets/32.png'))
  .ensureAlpha()
  .raw()
  .toBuffer({ resolveWithObject: true });
const columns = Math.ceil(Math.sqrt(chosen.length));
const rows = Math.ceil(chosen.length / columns);
const out = Buffer.alloc(4 * side * side * columns * rows);
const lines = chosen.map(({ name, sheet_x: x, sheet_y: y }, i) => {
  const [left, top] = [(i % columns) * side, Math.floor(i / columns) * side];
  for (let row = 0; row < side; row++) {
    const from = 4 * ((y * (side + 2) + 1 + row) * sheet.info.width + x * (side + 2) + 1);
    sheet.data.copy(out, 4 * ((top + row) * columns * side + left), from, from + 4 * side);
  }
  return `emoji.png#xywh=${left},${top},${side},${side}\t${name.toLowerCase()}`;
});
const size = { width: columns * side, height: rows * side, channels: 4 } as const;
await sharp(out, { raw: size })
  .flatten({ background: 'white' })
  .png({ palette: true, colours: 256, effort: 10, compressionLevel: 9 })
  .toFile(new URL('../data/emoji/emoji.png', import.meta.url).pathname);
writeFileSync(new URL('../data/emoji/captions.tsv', import.meta.url), `file\tcaption\n${lines.join('\n')}\n`);
process.stdout.write(`${chosen.length} pictures\n`);
