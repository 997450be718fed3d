import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Four bars of eight eighths with repeats, triplets and a pickup. */
export const hornpipe = `X:1
T:Test Hornpipe
R:hornpipe
M:C|
L:1/8
K:D Major
(3ABc|:dAFA DFAd|fdcd FAdf|(3efe (3dcB A2 A2|d2 f2 d2:|`;

export const jig = `X:2
T:Test Jig
M:6/8
L:1/8
Q:3/8=100
K:Ador
|:e|ABA c2d|edB G2B|ABA a2g|edB A2:|`;

/** The large collection of the development machines; `null` where there is none. */
export function irishCollection(): string | null {
  const root = process.env['OSTINATO_DATA'] ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url));
  const file = `${root}/irish-abc/irish.abc`;
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
