import { createLogUpdate } from 'log-update';

/** One line of `--json`: `event` says what happened, the other fields what it was. */
interface Event {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Where a command speaks: events as JSON lines, or text for people, with one updating line on a terminal. */
export interface Output {
  readonly json: boolean;
  /** Whether the progress line can update in place. */
  readonly live: boolean;
  /** A JSON line; nothing without `--json`. */
  event(event: Event): void;
  /** A line for people; nothing with `--json`. */
  line(text?: string): void;
  /** A piece of text without a line break, as it arrives; nothing with `--json`. */
  piece(text: string): void;
  /** The progress line: replaces the one before on a terminal, is a line of its own elsewhere. */
  progress(text: string): void;
  /** Leaves the progress line as it is; the next text starts below. */
  settle(): void;
}

/** The output of a process: `--json` or text, to `stream`. */
export function createOutput({
  json,
  stream = process.stdout,
}: {
  json: boolean;
  stream?: NodeJS.WriteStream;
}): Output {
  const live = !json && stream.isTTY === true && stream.columns !== 0; // some terminals claim a width of 0
  const updating = live ? createLogUpdate(stream) : null;
  const write = (text: string): void => {
    stream.write(text);
  };
  return {
    json,
    live,
    event(event) {
      if (json) write(`${JSON.stringify(event)}\n`);
    },
    line(text = '') {
      if (json) return;
      updating?.clear();
      write(`${text}\n`);
    },
    piece(text) {
      if (!json) write(text);
    },
    progress(text) {
      if (updating) updating(text);
      else if (!json) write(`${text}\n`);
    },
    settle() {
      updating?.done();
    },
  };
}

/** The same without lines for people: where lines of a file become lines, nothing else is printed. */
export const withoutLines = (output: Output): Output => ({ ...output, line: () => undefined });
