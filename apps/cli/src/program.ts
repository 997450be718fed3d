import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { Command, CommanderError } from 'commander';
import { addBench } from './commands/bench.ts';
import { addCaption } from './commands/caption.ts';
import { addClassify } from './commands/classify.ts';
import { addEngines } from './commands/engines.ts';
import { addEvaluate } from './commands/evaluate.ts';
import { addExport } from './commands/export.ts';
import { addForecast } from './commands/forecast.ts';
import { addGenerate } from './commands/generate.ts';
import { addScore } from './commands/score.ts';
import { addServe } from './commands/serve.ts';
import { addStart } from './commands/start.ts';
import { addTag } from './commands/tag.ts';
import { addTrain } from './commands/train.ts';
import { addTranslate } from './commands/translate.ts';
import { exitCodes, explain } from './failure.ts';
import { endWithOutput } from './interrupt.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string };

/** The whole command line, without running it. */
function program(): Command {
  const root = new Command('ostinato')
    .description('Train recurrent networks on music and text, and let them write.')
    .version(version)
    .showHelpAfterError('(--help shows the options and examples)')
    .exitOverride();
  addStart(root);
  addTrain(root);
  addGenerate(root);
  addClassify(root);
  addTag(root);
  addTranslate(root);
  addCaption(root);
  addForecast(root);
  addServe(root);
  addEvaluate(root);
  addScore(root);
  addExport(root);
  addEngines(root);
  addBench(root);
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
    await program().parseAsync(args, { from: 'user' });
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
