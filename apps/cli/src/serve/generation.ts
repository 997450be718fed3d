import { randomInt } from 'node:crypto';
import { Rng } from '@ostinato/core';
import { generateText, type LoadedLanguageModel, type TextRowOverrides } from '@ostinato/tasks/language-modeling';
import { badInput } from '../failure.ts';
import { promptOf, taskOf } from '../run-record.ts';
import { customs } from '../sample.ts';
import type { Service } from './service.ts';

interface GenerateRequest extends Omit<TextRowOverrides, 'rng' | 'signal'> {
  readonly prompt: string;
  readonly seed: number;
}

/** `POST /v1/generate`: texts of a language model. */
export function generationService({ model, tokenizer, details }: LoadedLanguageModel): Service<GenerateRequest> {
  const task = taskOf(details);
  return {
    task,
    path: '/v1/generate',
    model: model.config,
    streams: true,
    parse(fields, limits) {
      const most = limits.maximumTokens;
      const prompt = fields.text('prompt', limits) || promptOf(details);
      const request = {
        prompt,
        seed: fields.number('seed', { integer: true, min: 0, max: 2 ** 31 - 1 }) ?? randomInt(2 ** 31),
        maximumTokens: fields.number('maximumTokens', { integer: true, min: 1, max: most }) ?? Math.min(most, 200),
        temperature: fields.number('temperature', { min: 0 }) ?? 0.9,
        topK: fields.number('topK', { integer: true, min: 1 }),
        topP: fields.number('topP', { above: 0, max: 1 }),
        minP: fields.number('minP', { min: 0, max: 1 }),
        repetitionPenalty: fields.number('repetitionPenalty', { above: 0 }),
        stop: fields.optionalTexts('stop', limits) ?? customs[task].stop,
      };
      if (request.stop.includes('')) throw badInput('request', 'a text of stop must not be empty', "''");
      if (tokenizer.encode(prompt).length === 0) throw badInput('request', 'prompt must have a token', "''");
      return request;
    },
    kind: () => '',
    async run(jobs) {
      const texts = jobs.map(() => '');
      const pieces = generateText({
        ...{ model, tokenizer, prompts: jobs.map(({ request }) => request.prompt), rng: new Rng(0) },
        rows: jobs.map(({ request: { prompt: _, seed, ...options }, signal }) => ({
          ...options,
          ...{ rng: new Rng(seed), signal },
        })),
      });
      for await (const { row, text, finished } of pieces) {
        const job = jobs[row]!;
        texts[row] += text;
        if (text !== '') job.piece({ text });
        if (finished !== null) {
          job.finish({ text: texts[row], finished, seed: job.request.seed });
        }
      }
    },
    dispose: () => model.dispose(),
  };
}
