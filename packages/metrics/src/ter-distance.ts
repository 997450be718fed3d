/** What happens to a word on the way from the hypothesis to the reference. `remove` drops a hypothesis word. */
const edit = { none: 0, keep: 1, substitute: 2, insert: 3, remove: 4 } as const;

const unreached = 1e9;
const narrowestBeam = 25;

/**
 * Edit distance to one reference, within a beam around the diagonal, for hypotheses that are shifts of each other.
 *
 * Rows of the table that belong to words which the hypothesis before had too are kept: shifts change the middle only.
 */
export class BeamEditDistance {
  readonly #reference: Int32Array;
  readonly #width: number;
  readonly #costs: Int32Array;
  readonly #edits: Uint8Array;
  readonly #length: number;
  #previous: Int32Array | undefined;

  /**
   * @param reference word numbers
   * @param hypothesisLength words of every hypothesis to come
   */
  constructor(reference: Int32Array, hypothesisLength: number) {
    this.#reference = reference;
    this.#width = reference.length + 1;
    this.#length = hypothesisLength;
    this.#costs = new Int32Array((hypothesisLength + 1) * this.#width);
    this.#edits = new Uint8Array(this.#costs.length);
    for (let j = 0; j < this.#width; j++) {
      this.#costs[j] = j;
      this.#edits[j] = edit.insert;
    }
  }

  /** The least number of insertions, removals and substitutions. */
  distance(hypothesis: Int32Array): number {
    let common = 0;
    if (this.#previous) while (common < this.#length && this.#previous[common] === hypothesis[common]) common++;
    const ratio = this.#length > 0 ? this.#reference.length / this.#length : 1;
    // When lengths differ wildly, rows of the usual beam would not overlap.
    const beam = narrowestBeam < ratio / 2 ? Math.ceil(ratio / 2 + narrowestBeam) : narrowestBeam;
    for (let i = common + 1; i <= this.#length; i++) this.#fillRow(i, hypothesis[i - 1]!, Math.floor(i * ratio), beam);
    this.#previous = hypothesis;
    return this.#costs.at(-1)!;
  }

  #fillRow(i: number, word: number, diagonal: number, beam: number): void {
    const costs = this.#costs;
    const row = i * this.#width;
    costs.fill(unreached, row, row + this.#width);
    const end = i === this.#length ? this.#width : Math.min(this.#width, diagonal + beam);
    for (let j = Math.max(0, diagonal - beam); j < end; j++) {
      const above = row - this.#width + j;
      let cost = unreached;
      let kind: number = edit.none;
      if (j > 0) {
        const same = word === this.#reference[j - 1];
        cost = Math.min(unreached, costs[above - 1]! + (same ? 0 : 1));
        kind = same ? edit.keep : edit.substitute;
      }
      // Of equal costs the first wins: diagonal, removal, insertion. Tercom's choice of shifts depends on it.
      if (costs[above]! + 1 < cost) {
        cost = costs[above]! + 1;
        kind = edit.remove;
      }
      if (j > 0 && costs[row + j - 1]! + 1 < cost) {
        cost = costs[row + j - 1]! + 1;
        kind = edit.insert;
      }
      costs[row + j] = cost;
      this.#edits[row + j] = kind;
    }
  }

  /** How the last hypothesis lies beside the reference. */
  alignment(): Alignment {
    const target = new Int32Array(this.#reference.length);
    const referenceErrors = new Uint8Array(this.#reference.length);
    const hypothesisErrors = new Uint8Array(this.#length);
    let [i, j] = [this.#length, this.#reference.length];
    while (i > 0 || j > 0) {
      const kind = this.#edits[i * this.#width + j]!;
      if (kind !== edit.insert) i--;
      if (kind !== edit.remove) {
        j--;
        // A word that is missing lies behind the hypothesis word before it.
        target[j] = kind === edit.insert ? i - 1 : i;
        referenceErrors[j] = kind === edit.keep ? 0 : 1;
      }
      if (kind !== edit.insert) hypothesisErrors[i] = kind === edit.keep ? 0 : 1;
    }
    return { target, referenceErrors, hypothesisErrors };
  }
}

/** How a hypothesis lies beside the reference. */
export interface Alignment {
  /** For each reference word the hypothesis word beside it, or before it where it is missing; −1 before the first. */
  readonly target: Int32Array;
  /** 1 where a reference word is not met. */
  readonly referenceErrors: Uint8Array;
  /** 1 where a hypothesis word does not stay as it is. */
  readonly hypothesisErrors: Uint8Array;
}
