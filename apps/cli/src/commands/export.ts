import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { loadCaptioner, saveCaptioner } from '@ostinato/tasks/captioning/node';
import { loadForecaster, saveForecaster } from '@ostinato/tasks/forecasting/node';
import { saveLanguageModel } from '@ostinato/tasks/language-modeling/node';
import { loadTextClassifier, saveTextClassifier } from '@ostinato/tasks/sentiment/node';
import { loadSequenceTagger, saveSequenceTagger } from '@ostinato/tasks/tagging/node';
import { loadTranslator, saveTranslator } from '@ostinato/tasks/translation/node';
import type { Json } from '@ostinato/training';
import { type Command, Option } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { loadModel } from '../load-model.ts';
import { checkNewFile, makeFolderOf } from '../new-file.ts';
import { createOutput, type Output } from '../output.ts';
import { findCheckpoint } from '../run-folder.ts';
import { savedTask } from '../saved-task.ts';

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
  checkNewFile('--out', out);
  const task = await savedTask(path);
  await startEngine(output, options);

  async function rewrite<Loaded extends { readonly details: Json }>(
    load: (path: string) => Promise<Loaded>,
    save: (path: string, loaded: Loaded & { readonly dtype: ExportOptions['dtype'] }) => Promise<void>,
  ): Promise<void> {
    const loaded = await load(path);
    makeFolderOf(out);
    await save(out, { ...loaded, details: withoutPath(loaded.details), dtype });
  }
  if (task === 'sentiment') await rewrite(loadTextClassifier, saveTextClassifier);
  else if (task === 'tagging') await rewrite(loadSequenceTagger, saveSequenceTagger);
  else if (task === 'translation') await rewrite(loadTranslator, saveTranslator);
  else if (task === 'captioning') await rewrite(loadCaptioner, saveCaptioner);
  else if (task === 'forecasting') await rewrite(loadForecaster, saveForecaster);
  else await rewrite(() => loadModel(output, path), saveLanguageModel);

  const { size } = await stat(out);
  output.event({ event: 'result', path: out, bytes: size, dtype });
  output.line(`wrote ${out}, ${(size / 2 ** 20).toFixed(2)} MiB`);
}

/** The record of a run without the folders of this machine, wherever in it they are. */
function withoutPath(details: Json): Json {
  if (typeof details !== 'object' || details === null || Array.isArray(details)) return details;
  const bare = Object.entries(details).map(([name, value]) => [
    name,
    name === 'path' && typeof value === 'string' ? basename(value) : withoutPath(value as Json),
  ]);
  return Object.fromEntries(bare) as Json;
}
