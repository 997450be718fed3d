import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { Command, CommanderError } from 'commander';
import { exitCodes, explain } from './failure.ts';
import { endWithOutput } from './interrupt.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string };

/** The commands, in the order of the help. Each is loaded when it is asked for: all together take twice as long. */
const commands: Readonly<Record<string, () => Promise<(root: Command) => void>>> = {
  start: async () => (await import('./commands/start.ts')).addStart,
  train: async () => (await import('./commands/train.ts')).addTrain,
  generate: async () => (await import('./commands/generate.ts')).addGenerate,
  classify: async () => (await import('./commands/classify.ts')).addClassify,
  tag: async () => (await import('./commands/tag.ts')).addTag,
  translate: async () => (await import('./commands/translate.ts')).addTranslate,
  caption: async () => (await import('./commands/caption.ts')).addCaption,
  forecast: async () => (await import('./commands/forecast.ts')).addForecast,
  serve: async () => (await import('./commands/serve.ts')).addServe,
  evaluate: async () => (await import('./commands/evaluate.ts')).addEvaluate,
  score: async () => (await import('./commands/score.ts')).addScore,
  export: async () => (await import('./commands/export.ts')).addExport,
  engines: async () => (await import('./commands/engines.ts')).addEngines,
  bench: async () => (await import('./commands/bench.ts')).addBench,
};

/** The command line with the command that is asked for, or with all, without running it. */
async function program(asked: string | undefined): Promise<Command> {
  const root = new Command('ostinato')
    .description('Train recurrent networks on music and text, and let them write.')
    .version(version)
    .showHelpAfterError('(--help shows the options and examples)')
    .exitOverride();
  const wanted = Object.entries(commands).filter(([name]) => name === asked);
  for (const [, load] of wanted.length > 0 ? wanted : Object.entries(commands)) {
    const add = await load();
    add(root);
  }
  return root;
}

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 done, 1 failure, 2 bad input
 */
export async function run(args: readonly string[]): Promise<number> {
  const asked = (name: string): boolean => args.includes(name);
  const sayError = (message: string, code: number): void => {
    if (asked('--json')) process.stdout.write(`${JSON.stringify({ event: 'error', message, code })}\n`);
  };
  endWithOutput();
  tf.enableProdMode(); // or the stock backend advertises another package; errors are thrown as before
  try {
    await (await program(args[0])).parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.done;
      sayError(error.message, exitCodes.badInput);
      return exitCodes.badInput;
    }
    const { code, message } = explain(error);
    sayError(message, code);
    process.stderr.write(`ostinato: ${message}\n`);
    const isVerbose = asked('--verbose') || (process.env['DEBUG'] ?? '') !== '';
    if (isVerbose && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return code;
  }
}
