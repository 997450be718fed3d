import type { CommonOptions } from './common.ts';

/** Options of a training that may do without data of one's own. */
interface TrainOptions extends CommonOptions {
  readonly data?: string;
}

/** The options, with what suits the data that come along where nothing else was said. */
export function forBundled<Options extends TrainOptions>(
  options: Options,
  given: ReadonlySet<string>,
  suits: Partial<Options>,
): Options {
  if (options.data !== undefined) return options;
  return { ...options, ...Object.fromEntries(Object.entries(suits).filter(([name]) => !given.has(name))) };
}

/** What suits them, for the help of the command. */
export function bundledHelp(suits: object): string {
  const words = Object.entries(suits).map(
    ([name, value]) => `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)} ${value}`,
  );
  return `Without --data the defaults are ${words.join(' ')}.`;
}
