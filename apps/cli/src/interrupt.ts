import { constants } from 'node:os';
import { exitCodes } from './failure.ts';

/** Ctrl-C, SIGTERM, a closed terminal and a closed pipe as an AbortSignal: the first asks to stop, the second ends the process at once. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Gives the signals back to Node. */
  release(): void;
}

/** Milliseconds in which a second signal is an echo: a terminal sends Ctrl-C to every process, and pnpm or npx pass it on. */
const echo = 500;

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Listens for these signals. `onFirst` is called at the first of them. */
export function listenForInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  let first = 0;
  const listener = (signal: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      first = performance.now();
      controller.abort(signal);
      onFirst();
    } else if (performance.now() - first > echo) process.exit(128 + constants.signals[signal]);
  };
  const pipeClosed = ({ code }: NodeJS.ErrnoException): void => {
    if (code === 'EPIPE') controller.abort(code);
  };
  for (const name of signals) process.on(name, listener);
  process.stdout.on('error', pipeClosed);
  return {
    signal: controller.signal,
    release() {
      for (const name of signals) process.off(name, listener);
      process.stdout.off('error', pipeClosed);
    },
  };
}

/** Ends the process quietly when nobody reads its output any more (`| head`), unless something listens for interrupts and saves first. */
export function endWithOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (process.stdout.listenerCount('error') === 1) process.exit(exitCodes.done);
  });
}
