import { type LogEntry, type RunFolder, writeText } from './run-folder.ts';

interface Point {
  readonly step: number;
  readonly value: number;
}

function points(entries: readonly LogEntry[], field: string): Point[] {
  return entries
    .filter(entry => typeof entry[field] === 'number')
    .map(entry => ({ step: entry.step, value: entry[field] as number }));
}

/** The loss curve of a log as an SVG document; undefined before the first measurement. */
export async function lossPlot(
  entries: readonly LogEntry[],
  title: string,
  unit: string = 'nats per token',
): Promise<string | undefined> {
  const training = points(
    entries.filter(entry => entry.event === 'step'),
    'loss',
  );
  const validation = points(
    entries.filter(entry => entry.event === 'validation'),
    'validationLoss',
  );
  const series = [
    { name: 'training', points: training, smoothing: training.length > 40 ? 0.8 : 0 },
    { name: 'validation', points: validation },
  ].filter(each => each.points.length > 0);
  if (series.length === 0) return undefined;
  // Here, for it takes as long to load as the rest of the program.
  const { lossCurve } = await import('@ostinato/insight');
  return lossCurve({ series, title, yLabel: `loss (${unit})` });
}

/** Writes `loss.svg` of a run. */
export async function writeLossPlot(
  { lossCurve: path }: RunFolder,
  entries: readonly LogEntry[],
  title: string,
  unit?: string,
): Promise<void> {
  const svg = await lossPlot(entries, title, unit);
  if (svg !== undefined) await writeText(path, svg);
}
