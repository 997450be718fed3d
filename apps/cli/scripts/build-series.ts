// npx tsx --conditions=@ostinato/source apps/cli/scripts/build-series.ts: writes data/passengers.csv, twelve years of a made-up airline:
// growth, a summer season that grows with it, and noise.
import { writeFileSync } from 'node:fs';
import { Rng } from '@ostinato/core';

const rng = new Rng(1949);
const season = [0.91, 0.88, 1.01, 0.98, 0.98, 1.11, 1.23, 1.22, 1.06, 0.92, 0.8, 0.9];
let level = Math.log(120);
const rows = Array.from({ length: 144 }, (_, month) => {
  level += 0.0095 + 0.008 * rng.gaussian();
  const passengers = Math.round(Math.exp(level + 0.015 * rng.gaussian()) * season[month % 12]!);
  return `${2010 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')},${passengers}`;
});
writeFileSync(new URL('../data/passengers.csv', import.meta.url), `month,passengers\n${rows.join('\n')}\n`);
