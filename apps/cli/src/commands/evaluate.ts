import { Rng } from '@ostinato/core';
import { evaluate, type LoadedLanguageModel } from '@ostinato/tasks/language-modeling';
import { type Command, Option } from 'commander';
import { startEngine, withCommonOptions } from '../common.ts';
import { tunePieces, unknownShare } from '../corpus.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { loadModel, modelFile } from '../load-model.ts';
import { createOutput, type Output } from '../output.ts';
import { decimal, integer } from '../parse.ts';
import { promptOf, taskOf } from '../run-record.ts';
import { sampleTexts } from '../sample.ts';
import { savedTask } from '../saved-task.ts';
import { readInput } from '../text-input.ts';
import { asTunes, shareOfValid } from '../tune-files.ts';
import { checkCharacters, isReadable } from '../vocabulary.ts';
import { evaluateCaptioning } from './evaluate-captioning.ts';
import { evaluateForecasting } from './evaluate-forecasting.ts';
import { type EvaluateTextOptions, evaluateText } from './evaluate-text.ts';
import { type EvaluateTranslationOptions, evaluateTranslation } from './evaluate-translation.ts';
import { percent } from './train.ts';

interface EvaluateOptions extends Omit<EvaluateTextOptions, 'data'>, EvaluateTranslationOptions {
  readonly model?: string;
  readonly streams: number;
  readonly tunes: number;
  readonly temperature: number;
  readonly seed: number;
}

/** `ostinato evaluate`: how well a model predicts a text, and how much of what it writes is valid. */
export function addEvaluate(root: Command): void {
  withCommonOptions(root.command('evaluate'))
    .description('measure a model on text that it has not seen')
    .option('--model <path>', 'a run folder or a model file (default: the pretrained model that comes along)')
    .option(
      '--data <path>',
      'a text file, UTF-8; of other models as in training (default, of classifiers and taggers: what the run held out)',
    )
    .option('--source <file>', 'sentences for a translator, one a line')
    .option('--target <file>', 'their translations, line by line')
    .option('--source-column <name>', "of a translator's --data", 'french')
    .option('--target-column <name>', "of a translator's --data", 'english')
    .option('--lowercase', 'capital letters do not count in BLEU (default: as the translator was trained)', false)
    .option('--beam <count>', 'of a translator or captioner', integer({ min: 1, max: 100 }), 5)
    .addOption(
      new Option('--format <kind>', 'of labelled texts (auto: by .csv, .tsv)')
        .choices(['auto', 'lines', 'csv', 'tsv'])
        .default('auto'),
    )
    .option('--text-column <name>', 'of labelled texts in columns', 'text')
    .option('--label-column <name>', 'of labelled texts in columns', 'label')
    .option(
      '--streams <count>',
      'read the text as so many pieces side by side: faster, not exact',
      integer({ min: 1 }),
      1,
    )
    .option(
      '--tunes <count>',
      'tunes to write, of which the valid ones are counted (music); 0 none',
      integer({ min: 0 }),
      20,
    )
    .option('--temperature <value>', 'for these tunes', decimal({ min: 0 }), 0.9)
    .option('--seed <number>', 'for these tunes', integer({ min: 0 }), 1)
    .addHelpText(
      'after',
      '\nExamples:\n  ostinato evaluate --model runs/irish --data held-out.abc\n  ostinato evaluate --data held-out.abc --tunes 100 --json',
    )
    .action(async (options: EvaluateOptions) => runEvaluate(createOutput(options), options));
}

async function runEvaluate(output: Output, options: EvaluateOptions): Promise<void> {
  const path = modelFile(options.model);
  const task = await savedTask(path);
  if (task === 'translation') return evaluateTranslation(output, path, options);
  const { data } = options;
  if (task === 'sentiment' || task === 'tagging') return evaluateText(output, task, path, options);
  if (data === undefined) throw badInput('--data', 'a file must be named', 'none');
  if (task === 'captioning') return evaluateCaptioning(output, path, { ...options, data });
  if (task === 'forecasting') return evaluateForecasting(output, path, { ...options, data });
  const written = await readInput('--data', data);
  await startEngine(output, options);
  const loaded = await loadModel(output, path);
  const { model, tokenizer, details } = loaded;
  const { text, tunesLeftOut } = readable(written, loaded);
  const ids = tokenizer.encode(text);
  if (ids.length < 2) throw badInput('--data', 'the text must have at least 2 tokens', String(ids.length));
  if (tunesLeftOut !== undefined && tunesLeftOut > 0) {
    const tunes = tunesLeftOut === 1 ? '1 tune' : `${tunesLeftOut} tunes`;
    output.line(`left out            ${tunes} with characters outside the vocabulary of the model`);
  }
  const interrupt = listenForInterrupt(() => undefined);
  try {
    const { nats, bitsPerCharacter, perplexity, tokens } = await evaluate(model, ids, {
      streams: options.streams,
      characters: ids.length === Array.from(text).length ? ids.length - 1 : Array.from(text).length,
      signal: interrupt.signal,
    });
    output.line(`nats per token      ${nats.toFixed(4)}`);
    output.line(`bits per character  ${bitsPerCharacter.toFixed(4)}`);
    output.line(`perplexity          ${perplexity.toFixed(4)}   (of ${tokens.toLocaleString('en-US')} tokens)`);
    const unknown = unknownShare(tokenizer, [ids]);
    if (unknown !== undefined) {
      const caveat = unknown > 0 ? '   (bits per character are optimistic)' : '';
      output.line(`unknown tokens      ${percent(unknown)}${caveat}`);
    }
    const validTunes =
      taskOf(details) === 'music' && options.tunes > 0
        ? await countValid(loaded, options, interrupt.signal)
        : undefined;
    if (validTunes !== undefined) {
      output.line(`valid tunes         ${(100 * validTunes).toFixed(0)} % of ${options.tunes}`);
    }
    output.event({
      event: 'result',
      nats,
      bitsPerCharacter,
      perplexity,
      tokens,
      unknownShare: unknown,
      tunesLeftOut,
      validTunes,
    });
  } finally {
    interrupt.release();
  }
}

/** What the model can read: of music the tunes whose characters it knows, of other text all or nothing. */
function readable(
  text: string,
  { tokenizer, details }: LoadedLanguageModel,
): { text: string; tunesLeftOut: number | undefined } {
  if (taskOf(details) !== 'music') {
    checkCharacters('--data', tokenizer, text);
    return { text, tunesLeftOut: undefined };
  }
  const tunes = tunePieces(text);
  const known = tunes.filter(tune => isReadable(tokenizer, tune));
  if (known.length === 0) checkCharacters('--data', tokenizer, text);
  return { text: known.join(''), tunesLeftOut: tunes.length - known.length };
}

/** Share of valid tunes among those that the model writes. */
async function countValid(
  loaded: LoadedLanguageModel,
  { tunes, temperature, seed }: EvaluateOptions,
  signal: AbortSignal,
): Promise<number> {
  const prompt = promptOf(loaded.details);
  const rng = new Rng(seed);
  return shareOfValid(
    asTunes(await sampleTexts(loaded, { task: 'music', prompt, count: tunes, rng, temperature, signal })),
  );
}
