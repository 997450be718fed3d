import { evaluateForecaster, type ForecasterEvaluation } from '@ostinato/tasks/forecasting';
import { loadForecaster } from '@ostinato/tasks/forecasting/node';
import { type CommonOptions, startEngine } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import type { Output } from '../output.ts';
import { readSeriesFile } from '../series-data.ts';
import type { Measured } from '../task-session.ts';

/** Measures a forecaster on all rows of a file behind the first that it needs. */
export async function evaluateForecasting(
  output: Output,
  path: string,
  options: CommonOptions & { readonly data: string },
): Promise<void> {
  await startEngine(output, options);
  const { model, names } = await loadForecaster(path);
  const series = await readSeriesFile(options.data, { columns: names });
  const first = Math.max(model.historyLength, (model.config.season || 1) + 1);
  const last = series.shape[0];
  if (last - first < model.config.horizon) {
    const expected = `≥ ${first + model.config.horizon}`;
    throw badInput('--data', `the file must have enough rows (${expected})`, String(last));
  }
  const interrupt = listenForInterrupt(() => undefined);
  try {
    const { signal } = interrupt;
    const { lines, fields } = forecasterMeasured(
      await evaluateForecaster(model, { series, range: { from: first, to: last }, signal }),
    );
    output.line();
    for (const line of lines) output.line(line);
    output.event({ event: 'result', ...fields });
  } finally {
    interrupt.release();
  }
}

/** What `ostinato evaluate` and the end of a training say of a forecaster. */
export function forecasterMeasured({ windows, season, features }: ForecasterEvaluation): Measured {
  const number = (value: number): string => String(Number(value.toPrecision(4)));
  const lines = features.flatMap(({ name, mae, smape, mase, relativeMae, intervals }) => [
    `${name}: mean absolute error ${number(mae)} (${smape.toFixed(1)} % sMAPE, MASE ${mase.toFixed(2)}), ${relativeMae.toFixed(2)} of that of the seasonal-naive forecast`,
    ...intervals.map(
      ({ coverage, covered, width }) =>
        `  intervals of ${number(100 * coverage)} % hold ${(100 * covered).toFixed(1)} % of the values; ${number(width)} wide on average`,
    ),
  ]);
  const against = `${windows} forecasts; the seasonal-naive one repeats the value ${season} row${season === 1 ? '' : 's'} before`;
  return { lines: [...lines, against, ''], fields: { windows, season, features } };
}
