import { type Complete, checkChoice, checkNumber } from '@ostinato/core';

/** What can read the vectors of a text. */
export const encoderNames = ['bag', 'convolution', 'rnn', 'gru', 'lstm', 'transformer'] as const;

/** Name of an encoder: see `encoderNames`. */
export type EncoderName = (typeof encoderNames)[number];

/** Everything that determines the shape of a `TokenEncoder`: plain JSON. */
export interface TokenEncoderConfig {
  /** V, number of tokens. */
  readonly vocabularySize: number;
  /** E, width of a token's vector. Default 100. */
  readonly embeddingSize?: number | undefined;
  /**
   * `bag`: nothing but the vectors; `convolution`: filters over neighbours; `rnn`, `gru`, `lstm`: recurrent; `transformer`:
   * self-attention. Default 'lstm'.
   */
  readonly encoder?: EncoderName | undefined;
  /** H: of a recurrent direction, filters of each width of a convolution, width of the transformer. Default 150. */
  readonly hiddenSize?: number | undefined;
  /** Layers on top of each other. Default 1. */
  readonly numLayers?: number | undefined;
  /** Whether recurrent layers read in both directions. Default true. */
  readonly bidirectional?: boolean | undefined;
  /** Widths of the filters, in tokens. Default [3, 4, 5]. */
  readonly kernelSizes?: readonly number[] | undefined;
  /** Heads of the transformer, a divisor of hiddenSize. Default 5. */
  readonly numHeads?: number | undefined;
  /** Rate at which whole tokens are dropped in training. Default 0. */
  readonly wordDropout?: number | undefined;
  /** Rate of dropout on the elements of the tokens' vectors. Default 0. */
  readonly embeddingDropout?: number | undefined;
  /** Rate of dropout between layers, inside the transformer's, and before the output. Default 0. */
  readonly dropout?: number | undefined;
}

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeEncoderConfig(
  where: string,
  {
    vocabularySize,
    embeddingSize = 100,
    encoder = 'lstm',
    hiddenSize = 150,
    numLayers = 1,
    bidirectional = true,
    kernelSizes = [3, 4, 5],
    numHeads = 5,
    wordDropout = 0,
    embeddingDropout = 0,
    dropout = 0,
  }: TokenEncoderConfig,
): Complete<TokenEncoderConfig> {
  checkChoice(where, 'encoder', encoder, encoderNames);
  const sizes = { vocabularySize, embeddingSize, hiddenSize, numLayers, numHeads };
  for (const [name, size] of Object.entries(sizes)) checkNumber(where, name, size, { integer: true, min: 1 });
  checkNumber(where, 'the number of kernelSizes', kernelSizes.length, { min: 1 });
  for (const size of kernelSizes) checkNumber(where, 'a size of kernelSizes', size, { integer: true, min: 1 });
  const rates = { wordDropout, embeddingDropout, dropout };
  for (const [name, rate] of Object.entries(rates)) checkNumber(where, name, rate, { min: 0, below: 1 });
  return { ...sizes, encoder, bidirectional, kernelSizes: [...kernelSizes], ...rates };
}
