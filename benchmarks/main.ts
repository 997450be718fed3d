// pnpm bench NAME [--json] [--quick]: one benchmark, every figure and ratio from one run. The last line of `--json` is one object.
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import '@tensorflow/tfjs';
import '@ostinato/backend-cpu';
import { captioning } from './captioning.ts';
import { charRnn } from './char-rnn.ts';
import { conv } from './conv.ts';
import { course } from './course.ts';
import { forecasting } from './forecasting.ts';
import { generate } from './generate.ts';
import { gpt } from './gpt.ts';
import { gradientsThroughTime } from './gradients-through-time.ts';
import { lab1 } from './lab1.ts';
import { matmul } from './matmul.ts';
import { ops } from './ops.ts';
import { ptb } from './ptb.ts';
import { recurrent } from './recurrent.ts';
import type { Benchmark, Figures, Report } from './report.ts';
import { sentiment } from './sentiment.ts';
import { shakespeare } from './shakespeare.ts';
import { translation } from './translation.ts';

const benchmarks: Record<string, Benchmark> = {
  captioning,
  'char-rnn': charRnn,
  conv,
  forecasting,
  course,
  'gradients-through-time': gradientsThroughTime,
  gpt,
  sentiment,
  shakespeare,
  lab1,
  matmul,
  ops,
  ptb,
  recurrent,
  generate,
  translation,
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const name = positionals[0] ?? '';
const benchmark = benchmarks[name];
if (!benchmark) {
  console.error(`bench: unknown benchmark '${name}', expected one of ${Object.keys(benchmarks).join(', ')}.`);
  process.exit(2);
}
const report: Report = line => (options.json ? console.error(line) : console.log(line));
const settings = ['OSTINATO_NATIVE', 'OSTINATO_THREADS'].filter(variable => process.env[variable] !== undefined);
const words = [...settings.map(variable => `${variable}=${process.env[variable]}`), 'pnpm bench', name];
const figures: Figures = {
  benchmark: name,
  command: [...words, ...(options.quick ? ['--quick'] : [])].join(' '),
  machine: `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores`,
  node: process.version,
  ...(await benchmark(report, { quick: options.quick })),
};
if (options.json) console.log(JSON.stringify(figures));
