import { Rng } from '@ostinato/core';
import { generateText, type LoadedLanguageModel } from '@ostinato/tasks/language-modeling';
import { validateTune } from '@ostinato/tasks/music';
import type { Command } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { loadModel, modelFile } from '../load-model.ts';
import { checkNewFile, makeFolderOf } from '../new-file.ts';
import { OrderedText } from '../ordered-text.ts';
import { createOutput, type Output } from '../output.ts';
import { decimal, escapedText, integer } from '../parse.ts';
import { promptOf, taskOf } from '../run-record.ts';
import { customs } from '../sample.ts';
import { asTunes, problemLines, shareOfValid, writeTunes } from '../tune-files.ts';
import { checkCharacters } from '../vocabulary.ts';

interface GenerateOptions extends CommonOptions {
  readonly model?: string;
  readonly prompt?: string;
  readonly count: number;
  readonly tokens?: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  readonly abc?: string;
  readonly midi?: string;
  readonly html?: string;
}

/** `ostinato generate`: lets a model write. */
export function addGenerate(root: Command): void {
  withCommonOptions(root.command('generate'))
    .description('let a model write tunes or text')
    .option('--model <path>', 'a run folder or a model file (default: the pretrained model that comes along)')
    .option('--prompt <text>', 'what to go on with; \\n is a line break', escapedText)
    .option('--count <number>', 'how many', integer({ min: 1, max: 1000 }), 1)
    .option('--tokens <number>', 'most tokens of each (default: 1500 for tunes, 400 for text)', integer({ min: 1 }))
    .option(
      '--temperature <value>',
      'below 1 is safer, above 1 wilder, 0 always the most likely',
      decimal({ min: 0 }),
      0.9,
    )
    .option('--top-k <tokens>', 'draw from the k most likely; 0 from all', integer({ min: 0 }), 0)
    .option(
      '--top-p <share>',
      'draw from the most likely with this sum of probabilities',
      decimal({ above: 0, max: 1 }),
      1,
    )
    .option('--seed <number>', 'the same seed writes the same', integer({ min: 0 }), 2)
    .option('--abc <file>', 'write the tunes in ABC')
    .option('--midi <file>', 'write MIDI; with several tunes a number goes before the ending')
    .option('--html <file>', 'write a page with scores that plays the tunes')
    .addHelpText(
      'after',
      `
Examples:
  ostinato generate
  ostinato generate --model runs/irish --count 5 --temperature 0.9 --top-p 0.95
  ostinato generate --prompt "X:1\\nT:The Wandering Minstrel\\n" --html tune.html --midi tune.mid
  ostinato generate --model runs/language-model --prompt "Once upon a time" --tokens 200`,
    )
    .action(async (options: GenerateOptions) => generate(createOutput(options), options));
}

async function generate(output: Output, options: GenerateOptions): Promise<void> {
  const path = modelFile(options.model);
  const files = { abc: options.abc, midi: options.midi, html: options.html };
  for (const [name, file] of Object.entries(files)) checkNewFile(`--${name}`, file);
  await startEngine(output, options);
  const loaded = await loadModel(output, path);
  const task = taskOf(loaded.details);
  const wanted = Object.entries(files).find(([, file]) => file !== undefined);
  if (task !== 'music' && wanted) throw badInput(`--${wanted[0]}`, 'only a model of music writes tunes', task);

  const prompt = options.prompt ?? promptOf(loaded.details);
  checkCharacters('--prompt', loaded.tokenizer, prompt);
  for (const file of Object.values(files)) makeFolderOf(file);
  const texts = await write(output, loaded, prompt, options);
  if (task !== 'music') return output.event({ event: 'result', count: texts.length });
  const tunes = asTunes(texts);
  const page = {
    title: 'New tunes',
    introduction: `Written by ${path} at temperature ${options.temperature}, seed ${options.seed}.`,
  };
  const { written, left } = await writeTunes(tunes, files, page);
  const validTunes = shareOfValid(tunes);
  output.event({ event: 'result', count: tunes.length, validTunes, files: written, notWritten: left });
  for (const line of [...problemLines(tunes), ...left]) output.line(line);
  for (const file of written) output.line(`wrote ${file}`);
}

/** Generates, shows and returns the texts. */
async function write(
  output: Output,
  loaded: LoadedLanguageModel,
  prompt: string,
  options: GenerateOptions,
): Promise<string[]> {
  const task = taskOf(loaded.details);
  const prompts = Array.from({ length: options.count }, () => prompt);
  const interrupt = listenForInterrupt(() => undefined);
  const text = new OrderedText(
    prompts,
    piece => output.piece(piece),
    row => output.line(row === 0 ? '' : '\n'),
  );
  try {
    const pieces = generateText({
      ...loaded,
      prompts,
      maximumTokens: options.tokens ?? customs[task].tokens,
      temperature: options.temperature,
      topK: options.topK === 0 ? undefined : options.topK,
      topP: options.topP === 1 ? undefined : options.topP,
      stop: customs[task].stop,
      rng: new Rng(options.seed),
      signal: interrupt.signal,
    });
    for await (const piece of pieces) {
      text.push(piece.row, piece.text, piece.finished !== null);
      if (piece.finished !== null) {
        const whole = text.texts[piece.row]!;
        const report = task === 'music' ? validateTune(whole) : {};
        output.event({ event: 'text', row: piece.row, text: whole, finished: piece.finished, ...report });
      }
    }
  } finally {
    interrupt.release();
  }
  output.line('\n');
  return text.texts;
}
