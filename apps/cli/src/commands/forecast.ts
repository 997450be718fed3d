import { writeFile } from 'node:fs/promises';
import { forecastPlot } from '@ostinato/insight';
import { type FeatureForecast, forecast } from '@ostinato/tasks/forecasting';
import { loadForecaster } from '@ostinato/tasks/forecasting/node';
import type { Command } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { badInput } from '../failure.ts';
import { createOutput, type Output } from '../output.ts';
import { integer } from '../parse.ts';
import { findCheckpoint } from '../run-folder.ts';
import { readSeriesFile, type SeriesReading } from '../series-data.ts';
import type { TaskRecord } from '../task-session.ts';

interface ForecastCommandOptions extends CommonOptions {
  readonly model: string;
  readonly data?: string;
  readonly horizon?: number;
  readonly csv?: string;
  readonly svg?: string;
}

/** `ostinato forecast`: how a series goes on. */
export function addForecast(root: Command): void {
  withCommonOptions(root.command('forecast'))
    .description('tell how a series goes on, with the model of a run of `train forecasting`')
    .requiredOption('--model <path>', 'a run folder or a model file (required)')
    .option('--data <file>', "what is known so far, with the columns of the training (default: the run's own file)")
    .option('--horizon <rows>', 'how far (default: as far as the model can)', integer({ min: 1 }))
    .option('--csv <file>', 'writes forecast and intervals as a table')
    .option('--svg <file>', 'draws the first target')
    .addHelpText(
      'after',
      `
Examples:
  ostinato forecast --model runs/forecasting --svg forecast.svg
  ostinato forecast --model runs/forecasting --data today.csv --horizon 3 --json`,
    )
    .action(async (options: ForecastCommandOptions) => runForecast(createOutput(options), options));
}

async function runForecast(output: Output, options: ForecastCommandOptions): Promise<void> {
  const path = findCheckpoint('--model', options.model);
  await startEngine(output, options);
  const { model, names, details } = await loadForecaster(path);
  const record = details as unknown as TaskRecord | null;
  const data = options.data ?? record?.files?.['data']?.path;
  if (data === undefined)
    throw badInput('--data', 'a file must be named: the model does not say of which it is', 'none');
  const { delimiter } = (record?.reading ?? {}) as SeriesReading;
  const own = options.data === undefined;
  const series = await readSeriesFile(data, { columns: names, ...(own ? { delimiter } : {}) });
  const told = await forecast(model, series, { horizon: options.horizon });
  output.line();
  for (const { name, point, intervals } of told) {
    output.event({ event: 'forecast', name, point, intervals });
    for (const line of table(name, point, intervals)) output.line(line);
    output.line();
  }
  if (options.csv !== undefined) await writeFile(options.csv, csv(told));
  if (options.svg !== undefined) {
    const { name, point, intervals } = told[0]!;
    const feature = series.names.indexOf(name);
    const shown = Math.min(series.shape[0], 4 * point.length + model.historyLength);
    const history = Array.from(
      { length: shown },
      (_, i) => series.values[(series.shape[0] - shown + i) * series.shape[1] + feature]!,
    );
    await writeFile(options.svg, forecastPlot({ history, point, intervals, title: name, yLabel: name }));
  }
  const files = [options.csv, options.svg].filter(file => file !== undefined);
  for (const file of files) output.line(`wrote ${file}`);
  output.event({ event: 'result', rows: told[0]!.point.length, files });
}

const number = (value: number): string => String(Number(value.toPrecision(6)));

function table(name: string, point: readonly number[], intervals: FeatureForecast['intervals']): string[] {
  const shares = intervals.map(({ coverage }) => `${number(100 * coverage)} % between`);
  const rows = point.map((value, h) => [
    `+${h + 1}`,
    number(value),
    ...intervals.map(({ lower, upper }) => `${number(lower[h]!)} and ${number(upper[h]!)}`),
  ]);
  const cells = [['row', name, ...shares], ...rows];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map(row => row[column]!.length)));
  return cells.map(row => row.map((cell, column) => cell.padStart(widths[column]!)).join('  '));
}

/** A row for each of the horizon: `row,sales,sales 0.8 lower,sales 0.8 upper`. */
function csv(told: readonly FeatureForecast[]): string {
  const quote = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const heading = told.flatMap(({ name, intervals }) => [
    name,
    ...intervals.flatMap(({ coverage }) => [`${name} ${coverage} lower`, `${name} ${coverage} upper`]),
  ]);
  const rows = told[0]!.point.map((_, h) =>
    [
      h + 1,
      ...told.flatMap(({ point, intervals }) => [
        point[h]!,
        ...intervals.flatMap(({ lower, upper }) => [lower[h]!, upper[h]!]),
      ]),
    ].join(','),
  );
  return `${['row', ...heading].map(quote).join(',')}\n${rows.join('\n')}\n`;
}
