import { showBytes } from './pipeline.ts';

/** Which merges are left out, at random. */
export interface BpeDropout {
  /** Probability with which each possible merge is left out at each step; 0.1 in the paper. */
  readonly probability: number;
  /** Uniform numbers in [0, 1). */
  readonly random: () => number;
}

const mostRemembered = 100_000;

/** Splits pieces into tokens by merges, the earliest learned first. */
export class BpeModel {
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #remembered: Map<string, readonly string[]> = new Map();

  constructor(merges: readonly (readonly [string, string])[]) {
    // No letter is a space: see `byteAlphabet`.
    this.#ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
  }

  /**
   * The tokens of a piece, left to right.
   *
   * @param dropout BPE-dropout (Provilkov et al. 2020, arXiv:1910.13267, algorithm 1). Default: none
   */
  tokens(piece: string, dropout?: BpeDropout): readonly string[] {
    if (dropout !== undefined) return this.#merge(showBytes(piece), dropout);
    const known = this.#remembered.get(piece);
    if (known !== undefined) return known;
    const tokens = this.#merge(showBytes(piece));
    if (this.#remembered.size === mostRemembered) this.#remembered.clear();
    this.#remembered.set(piece, tokens);
    return tokens;
  }

  #merge(letters: readonly string[], dropout?: BpeDropout): readonly string[] {
    let tokens = [...letters];
    while (tokens.length > 1) {
      let [best, left, right] = [Infinity, '', ''];
      const places = new Set<number>();
      for (let i = 0; i + 1 < tokens.length; i++) {
        const rank = this.#ranks.get(`${tokens[i]} ${tokens[i + 1]}`);
        if (rank === undefined || rank > best) continue;
        if (dropout !== undefined && dropout.random() < dropout.probability) continue;
        if (rank < best) {
          [best, left, right] = [rank, tokens[i]!, tokens[i + 1]!];
          places.clear();
        }
        places.add(i);
      }
      if (best === Infinity) break;
      const merged: string[] = [];
      for (let i = 0; i < tokens.length; i++) {
        // Of overlapping places (`aaa`) the first.
        if (places.has(i)) {
          merged.push(left + right);
          i++;
        } else merged.push(tokens[i]!);
      }
      tokens = merged;
    }
    return tokens;
  }
}
