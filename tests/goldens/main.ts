// pnpm goldens [filter] [--engine cpu|ostinato-cpu]: compares every golden case whose name contains the filter with our
// results, on the plain TensorFlow.js `cpu` backend and on ours. OSTINATO_GOLDENS names the folder of the goldens.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import '@tensorflow/tfjs';
import '@ostinato/backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { runAttentionCase } from './cases/attention.ts';
import { runBpttCase } from './cases/bptt.ts';
import { runDecodingCase } from './cases/decoding.ts';
import { runKerasLayerCase, runLayersCase } from './cases/layers.ts';
import { runLossesCase } from './cases/losses.ts';
import { runMetricsCase } from './cases/metrics.ts';
import { runOptimCase } from './cases/optim.ts';
import { runPositionsCase } from './cases/positions.ts';
import { runRecurrentCase } from './cases/recurrent.ts';
import { runSchedulesCase } from './cases/schedules.ts';
import { runTransformerCase } from './cases/transformer.ts';
import type { CaseResult, Comparison, Golden } from './golden.ts';

type Runner = (golden: Golden) => CaseResult | Promise<CaseResult>;

const runners: Record<string, Runner> = {
  rnn: runRecurrentCase,
  keras: golden => (golden.name.includes('optimizer') ? runOptimCase(golden) : runKerasCase(golden)),
  layers: golden => (golden.name.includes('embedding') ? runRecurrentCase(golden) : runLayersCase(golden)),
  losses: runLossesCase,
  optim: runOptimCase,
  schedules: runSchedulesCase,
  bptt: golden => (golden.name.includes('lm_document_reset') ? runRecurrentCase(golden) : runBpttCase(golden)),
  decoding: runDecodingCase,
  attention: runAttentionCase,
  transformer: runTransformerCase,
  positions: runPositionsCase,
  metrics: runMetricsCase,
  safetensors: () => ({ skipped: 'models of other libraries' }),
};

function runKerasCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  if (name === 'gelu' || name === 'layer_norm') return runKerasLayerCase(golden);
  if (name === 'multi_head_attention') return runAttentionCase(golden);
  return runRecurrentCase(golden);
}

/** The worst |got − want| / max(1, largest |want|) of a case, and the tensor it is in. NaN counts as the worst. */
function worst(differences: readonly Comparison[]): { error: number; name: string } {
  let result = { error: 0, name: '' };
  for (const { name, got, want } of differences) {
    if (got.length !== want.length)
      return { error: Infinity, name: `${name}: ${got.length} values for ${want.length}` };
    let largest = 1;
    for (let i = 0; i < want.length; i++) if (Number.isFinite(want[i])) largest = Math.max(largest, Math.abs(want[i]!));
    for (let i = 0; i < want.length; i++) {
      const error = Object.is(got[i], want[i]) ? 0 : Math.abs(got[i]! - want[i]!) / largest;
      if (!(error <= result.error)) result = { error: Number.isNaN(error) ? Infinity : error, name };
    }
  }
  return result;
}

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { engine: { type: 'string' } } });
const filter = positionals[0] ?? '';
const root = resolve(process.env['OSTINATO_GOLDENS'] ?? '../shared/goldens');
const engines = options.engine === undefined ? ['cpu', 'ostinato-cpu'] : [options.engine];
const count = { passed: 0, failed: 0, skipped: 0 };

if (!existsSync(join(root, 'index.json'))) {
  console.log('skipped: no goldens here; OSTINATO_GOLDENS names their folder');
} else {
  const index = JSON.parse(readFileSync(join(root, 'index.json'), 'utf8')) as { files: { file: string }[] };
  for (const engine of engines) {
    await tf.setBackend(engine);
    for (const { file } of index.files.filter(entry => entry.file.includes(filter) && entry.file.endsWith('.json'))) {
      const golden = JSON.parse(readFileSync(join(root, file), 'utf8')) as Golden;
      await report(engine, file, golden);
    }
  }
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed > 0 ? 1 : 0;

async function report(engine: string, file: string, golden: Golden): Promise<void> {
  const label = `${engine} ${file.replace(/\.json$/, '')}`;
  try {
    const result = await runners[file.split('/')[0]!]!(golden);
    if ('skipped' in result) {
      count.skipped++;
      console.log(`skipped ${label}: ${result.skipped}`);
      return;
    }
    const { error, name } = worst(result.differences);
    const passed = result.differences.length > 0 && error <= 1e-5;
    count[passed ? 'passed' : 'failed']++;
    console.log(
      `${passed ? 'passed ' : 'FAILED '} ${label}: ${error.toExponential(1)}${passed ? '' : ` in ${name || 'nothing compared'}`}`,
    );
  } catch (error) {
    count.failed++;
    console.log(`FAILED  ${label}: ${(error as Error).message}`);
  }
}
