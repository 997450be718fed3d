/** What a token, or the end, adds to the text that may be shown. */
export interface TextPiece {
  readonly text: string;
  /** Whether a stop string is complete; the text ends before it. */
  readonly stopped: boolean;
}

/** Passes text on, except what may be the beginning of a stop string, and ends before the first stop string. */
export class StopMatcher {
  readonly #stops: readonly string[];
  readonly #longest: number;
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops;
    this.#longest = Math.max(0, ...stops.map(stop => stop.length));
  }

  /** The stop string that is complete first counts; of several that end together, the longest. */
  push(piece: string): TextPiece {
    const text = this.#held + piece;
    let start = Infinity;
    let end = Infinity;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0) continue;
      const stopEnd = at + stop.length;
      if (stopEnd < end || (stopEnd === end && at < start)) [start, end] = [at, stopEnd];
    }
    if (end < Infinity) {
      this.#held = '';
      return { text: text.slice(0, start), stopped: true };
    }
    let hold = Math.min(this.#longest - 1, text.length);
    while (hold > 0 && !this.#stops.some(stop => stop.startsWith(text.slice(-hold)))) hold--;
    const safe = text.length - Math.max(0, hold);
    this.#held = text.slice(safe);
    return { text: text.slice(0, safe), stopped: false };
  }

  /** What was held back, once no more comes. */
  finish(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }
}

/**
 * Turns tokens into text as they come.
 *
 * A token's text may depend on the tokens before it (the space between words), so it is the difference between decoding a
 * few tokens with and without it. Text that ends in U+FFFD is an unfinished character of a byte-level tokenizer and waits.
 */
export class TextStream {
  readonly #decode: (ids: Int32Array) => string;
  readonly #matcher: StopMatcher;
  readonly #ids: number[];
  /** ids[context … shown) is known text, decoded again as context; ids from `shown` on have not been shown. */
  #context = 0;
  #shown: number;

  /** The text starts behind `prompt`, of which five tokens are enough as context. */
  constructor(decode: (ids: Int32Array) => string, prompt: readonly number[], stops: readonly string[]) {
    this.#decode = decode;
    this.#matcher = new StopMatcher(stops);
    this.#ids = prompt.slice(-5);
    this.#shown = this.#ids.length;
  }

  #pending(): string {
    const known = this.#decode(Int32Array.from(this.#ids.slice(this.#context, this.#shown)));
    return this.#decode(Int32Array.from(this.#ids.slice(this.#context))).slice(known.length);
  }

  push(token: number): TextPiece {
    this.#ids.push(token);
    const text = this.#pending();
    if (text === '' || text.endsWith('\ufffd')) return { text: '', stopped: false };
    this.#context = this.#shown;
    this.#shown = this.#ids.length;
    return this.#matcher.push(text);
  }

  /** What was held back, once no more comes. */
  finish(): TextPiece {
    const { text, stopped } = this.#matcher.push(this.#pending());
    this.#shown = this.#ids.length;
    return { text: text + this.#matcher.finish(), stopped };
  }
}
