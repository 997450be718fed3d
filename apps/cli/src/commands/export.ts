import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { saveLanguageModel } from '@ostinato/tasks/language-modeling/node';
import type { Json } from '@ostinato/training';
import { type Command, Option } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { badInput } from '../failure.ts';
import { loadModel } from '../load-model.ts';
import { createOutput, type Output } from '../output.ts';
import { findCheckpoint } from '../run-folder.ts';

interface ExportOptions extends CommonOptions {
  readonly model: string;
  readonly out: string;
  readonly dtype: 'F32' | 'F16' | 'BF16';
}

/** `ostinato export`: a model without the state of its training, in half precision, to give away. */
export function addExport(root: Command): void {
  withCommonOptions(root.command('export'))
    .description('write a model to one small file, without the state of its training')
    .requiredOption('--model <path>', 'a run folder or a model file (required)')
    .requiredOption('--out <file>', 'the file to write, .safetensors (required)')
    .addOption(
      new Option('--dtype <name>', 'F16 and BF16 halve the file').choices(['F32', 'F16', 'BF16']).default('F16'),
    )
    .addHelpText('after', '\nExample:\n  ostinato export --model runs/irish --out irish.safetensors')
    .action(async (options: ExportOptions) => exportModel(createOutput(options), options));
}

async function exportModel(output: Output, options: ExportOptions): Promise<void> {
  const { out, dtype } = options;
  const path = findCheckpoint('--model', options.model);
  if (!existsSync(dirname(out))) throw badInput('--out', 'the folder must exist', `'${dirname(out)}'`);
  if (existsSync(out)) throw badInput('--out', 'the file is there already and is not overwritten', `'${out}'`);
  await startEngine(output, options);
  const { model, tokenizer, details } = await loadModel(output, path);
  await saveLanguageModel(out, { model, tokenizer, details: withoutPath(details), dtype });
  const { size } = await stat(out);
  output.event({ event: 'result', path: out, bytes: size, dtype });
  output.line(`wrote ${out}, ${(size / 2 ** 20).toFixed(2)} MiB`);
}

/** The record of a run without the folders of this machine. */
function withoutPath(details: Json): Json {
  const { data, ...rest } = (details ?? {}) as { readonly data?: { readonly path: string; readonly sha256: string } };
  return { ...rest, ...(data ? { data: { path: basename(data.path), sha256: data.sha256 } } : {}) };
}
