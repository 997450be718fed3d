import { ArgumentError, type Complete, checkChoice, checkNumber } from '@ostinato/core';

/** What can read a picture. */
export const pictureEncoderNames = ['convolution', 'patches', 'features'] as const;

/** Name of an encoder of pictures: see `pictureEncoderNames`. */
export type PictureEncoderName = (typeof pictureEncoderNames)[number];

/** Everything that determines the shape of a captioner: plain JSON, saved in every checkpoint. */
export interface CaptionerConfig {
  /** V, number of tokens. */
  readonly vocabularySize: number;
  /**
   * `convolution`: layers that halve the picture, one for each of `channels` · `patches`: squares of the picture as tokens of a
   * transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) · `features`: vectors that another network made. Default 'convolution'.
   */
  readonly encoder?: PictureEncoderName | undefined;
  /** S, height and width in pixels of the pictures that are read. Default 64. */
  readonly side?: number | undefined;
  /** Width of each layer of the convolutional encoder. Default [32, 64, 128]. */
  readonly channels?: readonly number[] | undefined;
  /** Side of a patch in pixels. Default 8. */
  readonly patchSize?: number | undefined;
  /** Layers of the transformer over patches. Default 2. */
  readonly encoderLayers?: number | undefined;
  /** Width of a given feature vector; `features` only. */
  readonly featureSize?: number | undefined;
  /** Feature vectors of a picture; `features` only. Default 1. */
  readonly positions?: number | undefined;
  /** `transformer`, or `recurrent`: a GRU that looks at the picture before each word (Xu et al. 2015, arXiv:1502.03044). Default 'transformer'. */
  readonly decoder?: 'transformer' | 'recurrent' | undefined;
  /** D, width of the decoder and of what it sees of a picture: even. Default 128. */
  readonly size?: number | undefined;
  /** Layers of the decoder. Default 2. */
  readonly decoderLayers?: number | undefined;
  /** Of transformers. Default 4. */
  readonly numHeads?: number | undefined;
  /** Rate of dropout on vectors and behind every part. Default 0.3. */
  readonly dropout?: number | undefined;
}

/** A configuration with every default filled in. */
export type CompleteCaptionerConfig = Complete<CaptionerConfig>;

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeConfig({
  vocabularySize,
  encoder = 'convolution',
  side = 64,
  channels = [32, 64, 128],
  patchSize = 8,
  encoderLayers = 2,
  featureSize = 0,
  positions = 1,
  decoder = 'transformer',
  size = 128,
  decoderLayers = 2,
  numHeads = 4,
  dropout = 0.3,
}: CaptionerConfig): CompleteCaptionerConfig {
  const where = 'Captioner';
  checkChoice(where, 'encoder', encoder, pictureEncoderNames);
  checkChoice(where, 'decoder', decoder, ['transformer', 'recurrent']);
  const positive = { integer: true, min: 1 } as const;
  const counts = { vocabularySize, side, patchSize, encoderLayers, positions, decoderLayers, numHeads };
  for (const [name, value] of Object.entries(counts)) checkNumber(where, name, value, positive);
  checkNumber(where, 'size / 2', size / 2, positive);
  checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
  for (const width of channels) checkNumber(where, 'a number of channels', width, positive);
  if (encoder === 'features') checkNumber(where, 'featureSize', featureSize, positive);
  const divides = (rule: string, of: number, by: number): void => {
    if (of % by !== 0) throw new ArgumentError({ where, rule, got: `${of} and ${by}` });
  };
  if (encoder === 'patches') divides('side must be divisible by patchSize', side, patchSize);
  if (encoder === 'convolution') {
    divides('side must be divisible by 2 as often as there are channels', side, 2 ** channels.length);
    if (channels.length === 0) throw new ArgumentError({ where, rule: 'channels must name at least one', got: 'none' });
  }
  if (decoder === 'transformer' || encoder === 'patches') divides('size must be divisible by numHeads', size, numHeads);
  return {
    ...{ vocabularySize, encoder, side, channels, patchSize, encoderLayers, featureSize, positions },
    ...{ decoder, size, decoderLayers, numHeads, dropout },
  };
}
