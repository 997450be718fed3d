import { ArgumentError, yieldToEvents } from '@ostinato/core';
import { seriesOf } from '@ostinato/data';
import { forecast, type LoadedForecaster } from '@ostinato/tasks/forecasting';
import { classify, type LoadedTextClassifier } from '@ostinato/tasks/sentiment';
import { type LoadedSequenceTagger, tag } from '@ostinato/tasks/tagging';
import { type LoadedTranslator, meanAttention, translate } from '@ostinato/tasks/translation';
import { type Job, nobodyWaits } from './batcher.ts';
import type { Service } from './service.ts';

interface TextsRequest {
  readonly texts: readonly string[];
}

/** Computes the texts of all jobs together, and hands each job the results of its own. What one of them cannot have is its own fault. */
async function together<Request extends TextsRequest, Result>(
  jobs: readonly Job<Request>[],
  compute: (texts: string[], signal: AbortSignal) => Promise<readonly Result[]>,
  answer: (results: readonly Result[]) => object,
): Promise<void> {
  try {
    const results = await compute(
      jobs.flatMap(({ request }) => request.texts),
      nobodyWaits(jobs),
    );
    let first = 0;
    for (const { request, finish } of jobs) {
      finish(answer(results.slice(first, first + request.texts.length)));
      first += request.texts.length;
    }
  } catch (error) {
    if (jobs.length === 1) throw error;
    for (const job of jobs) await together([job], compute, answer).catch(job.fail);
  }
}

/** `POST /v1/classify`: labels of texts. */
export function classificationService({ model, tokenizer }: LoadedTextClassifier): Service<TextsRequest> {
  return {
    ...{ task: 'sentiment', path: '/v1/classify', model: model.config, streams: false },
    parse: (fields, limits) => ({ texts: fields.texts('texts', limits) }),
    kind: () => '',
    run: jobs =>
      together(
        jobs,
        (texts, signal) => classify({ model, tokenizer, texts, signal }),
        results => ({ results }),
      ),
    dispose: () => model.dispose(),
  };
}

/** `POST /v1/tag`: a tag for every word. */
export function taggingService({ model, tokenizer }: LoadedSequenceTagger): Service<TextsRequest> {
  return {
    ...{ task: 'tagging', path: '/v1/tag', model: model.config, streams: false },
    parse: (fields, limits) => ({ texts: fields.texts('texts', limits) }),
    kind: () => '',
    run: jobs =>
      together(
        jobs,
        (sentences, signal) => tag({ model, tokenizer, sentences, signal }),
        results => ({ results }),
      ),
    dispose: () => model.dispose(),
  };
}

interface TranslateRequest extends TextsRequest {
  readonly beamSize: number;
  readonly count: number;
  readonly attention: boolean;
}

/** `POST /v1/translate`: sentences into sentences. */
export function translationService({ model, tokenizers }: LoadedTranslator): Service<TranslateRequest> {
  return {
    ...{ task: 'translation', path: '/v1/translate', model: model.config, streams: false },
    parse(fields, limits) {
      const beamSize = fields.number('beamSize', { integer: true, min: 1, max: 20 }) ?? 5;
      return {
        texts: fields.texts('texts', limits),
        beamSize,
        count: fields.number('count', { integer: true, min: 1, max: beamSize }) ?? 1,
        attention: fields.flag('attention'),
      };
    },
    kind: ({ beamSize, count, attention }) => `${beamSize} ${count} ${attention}`,
    run: jobs =>
      together(
        jobs,
        (texts, signal) => {
          const { beamSize, count, attention } = jobs[0]!.request;
          return translate({ model, tokenizers, texts, beamSize, count, attention, signal });
        },
        results => ({
          results: results.map(({ attention, ...rest }) => ({
            ...rest,
            ...(attention
              ? { attention: { source: attention.source, target: attention.target, weights: meanAttention(attention) } }
              : {}),
          })),
        }),
      ),
    dispose: () => model.dispose(),
  };
}

interface ForecastRequest {
  readonly rows: readonly (readonly number[])[];
  readonly horizon: number;
}

/** `POST /v1/forecast`: how a series goes on. */
export function forecastingService({ model, names }: LoadedForecaster): Service<ForecastRequest> {
  const { horizon: longest } = model.config;
  return {
    ...{ task: 'forecasting', path: '/v1/forecast', model: { ...model.config, names }, streams: false },
    parse(fields) {
      const rows = fields.rows('rows', { width: names.length, most: 100_000 });
      const needed = model.historyLength;
      if (rows.length < needed) {
        const rule = 'rows must hold as much as the model reads';
        throw new ArgumentError({ where: 'request', rule, expected: `≥ ${needed}`, got: String(rows.length) });
      }
      return { rows, horizon: fields.number('horizon', { integer: true, min: 1, max: longest }) ?? longest };
    },
    kind: () => '',
    async run(jobs) {
      for (const { request, signal, finish, fail } of jobs) {
        await yieldToEvents();
        if (signal.aborted) continue;
        try {
          const columns = names.map((name, i) => [name, request.rows.map(row => row[i]!)] as const);
          finish({
            results: await forecast(model, seriesOf(Object.fromEntries(columns)), { horizon: request.horizon }),
          });
        } catch (error) {
          fail(error);
        }
      }
    },
    dispose: () => model.dispose(),
  };
}
