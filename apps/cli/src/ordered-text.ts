/** Shows the texts of several rows one after another while they grow together: the first as it comes, the next when it is over. */
export class OrderedText {
  readonly texts: string[];
  readonly #finished: boolean[];
  readonly #show: (piece: string) => void;
  readonly #heading: (row: number) => void;
  #current = 0;
  #shown = 0;

  /** `show` gets pieces of the current row; `heading` is called before the first piece of a row. */
  constructor(prompts: readonly string[], show: (piece: string) => void, heading: (row: number) => void) {
    this.texts = [...prompts];
    this.#finished = prompts.map(() => false);
    this.#show = show;
    this.#heading = heading;
    this.#advance();
  }

  push(row: number, text: string, finished: boolean): void {
    this.texts[row] += text;
    if (finished) this.#finished[row] = true;
    this.#advance();
  }

  #advance(): void {
    while (this.#current < this.texts.length) {
      const text = this.texts[this.#current]!;
      if (this.#shown === 0) this.#heading(this.#current);
      if (text.length > this.#shown) this.#show(text.slice(this.#shown));
      this.#shown = text.length;
      if (!this.#finished[this.#current]) return;
      this.#current++;
      this.#shown = 0;
    }
  }
}
