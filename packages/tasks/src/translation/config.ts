import { ArgumentError, type Complete, checkChoice, checkNumber } from '@ostinato/core';

/** The architectures of translators. */
export const translatorNames = ['transformer', 'recurrent'] as const;

/** Name of an architecture: see `translatorNames`. */
export type TranslatorName = (typeof translatorNames)[number];

/** What the translators have in common. */
interface CommonConfig {
  /** Number of tokens of the source language. */
  readonly vocabularySize: number;
  /** V, number of tokens of the target language. Default: both share one vocabulary. */
  readonly targetVocabularySize?: number | undefined;
  /**
   * Which tables are one: `'all'` the vectors of source and target tokens and the output layer, which needs one vocabulary (Press and
   * Wolf 2017, arXiv:1608.05859, section 4) · `'output'` those of target and output layer · `'none'`. Default: `'all'` where both share
   * a vocabulary, else `'output'`.
   */
  readonly tying?: 'all' | 'output' | 'none' | undefined;
}

/** An encoder and decoder of attention: `Transformer` of `@ostinato/attention`. Default sizes are those of Wu et al. 2021 for Multi30k. */
export interface TransformerTranslatorConfig extends CommonConfig {
  /** Default. */
  readonly architecture?: 'transformer' | undefined;
  /** D, width of the vectors: even. Default 128. */
  readonly size?: number | undefined;
  /** Default 4. */
  readonly numHeads?: number | undefined;
  /** Default 2 D. */
  readonly feedForwardSize?: number | undefined;
  /** Default 4. */
  readonly encoderLayers?: number | undefined;
  /** Default 4. */
  readonly decoderLayers?: number | undefined;
  /** Norm before attention and feed-forward, which learns without a warm-up, in place of behind them. Default true. */
  readonly preNorm?: boolean | undefined;
  /** Rate of dropout on the vectors and behind attention and feed-forward. Default 0.3. */
  readonly dropout?: number | undefined;
  /** Rate of dropout on the attention weights. Default 0. */
  readonly attentionDropout?: number | undefined;
}

/** A bidirectional encoder, and a decoder that looks at it at every step: `AttentionDecoder` of `@ostinato/attention`. */
export interface RecurrentTranslatorConfig extends CommonConfig {
  readonly architecture: 'recurrent';
  /** Default 'gru'. */
  readonly cell?: 'gru' | 'lstm' | undefined;
  /**
   * How the decoder looks: `'bahdanau'` with its last state, by a small network · `'luong'` with its new state, by a product; it reads
   * its last output with the next token (input feeding) · `'luong-plain'` the same without that, so that all steps of a target are
   * computed at once in training. Default 'bahdanau'.
   */
  readonly attention?: 'bahdanau' | 'luong' | 'luong-plain' | undefined;
  /** E, width of a token's vector. Default 256. */
  readonly embeddingSize?: number | undefined;
  /** H, width of the decoder's state and of each direction of the encoder. Default 256. */
  readonly hiddenSize?: number | undefined;
  /** Layers of the encoder. Default 1. */
  readonly encoderLayers?: number | undefined;
  /** Layers of the decoder. Default 1. */
  readonly decoderLayers?: number | undefined;
  /** Rate of dropout on the vectors, between layers and before the output. Default 0.3. */
  readonly dropout?: number | undefined;
}

/** Everything that determines the shape of a translator: plain JSON, saved in every checkpoint. */
export type TranslatorConfig = TransformerTranslatorConfig | RecurrentTranslatorConfig;

/** A configuration with every default filled in. */
export type CompleteTransformerTranslatorConfig = Complete<TransformerTranslatorConfig>;

/** A configuration with every default filled in. */
export type CompleteRecurrentTranslatorConfig = Complete<RecurrentTranslatorConfig>;

const positive = { integer: true, min: 1 } as const;

function common(where: string, config: CommonConfig): Complete<CommonConfig> {
  const { vocabularySize, targetVocabularySize = vocabularySize } = config;
  const { tying = config.targetVocabularySize === undefined ? 'all' : 'output' } = config;
  checkNumber(where, 'vocabularySize', vocabularySize, positive);
  checkNumber(where, 'targetVocabularySize', targetVocabularySize, positive);
  checkChoice(where, 'tying', tying, ['all', 'output', 'none']);
  if (tying === 'all' && targetVocabularySize !== vocabularySize) {
    throw new ArgumentError({
      where,
      rule: "tying 'all' needs one vocabulary for both languages",
      got: `${vocabularySize} and ${targetVocabularySize} tokens`,
      advice: "Train one tokenizer on both, or use tying: 'output'.",
    });
  }
  return { vocabularySize, targetVocabularySize, tying };
}

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeTransformerConfig(config: TransformerTranslatorConfig): CompleteTransformerTranslatorConfig {
  const where = 'TransformerTranslator';
  const { size = 128, numHeads = 4, feedForwardSize = 2 * size, encoderLayers = 4, decoderLayers = 4 } = config;
  const { preNorm = true, dropout = 0.3, attentionDropout = 0 } = config;
  checkNumber(where, 'size / 2', size / 2, positive);
  for (const [name, value] of Object.entries({ numHeads, feedForwardSize, encoderLayers, decoderLayers })) {
    checkNumber(where, name, value, positive);
  }
  checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
  checkNumber(where, 'attentionDropout', attentionDropout, { min: 0, below: 1 });
  return {
    ...{ architecture: 'transformer', ...common(where, config), size, numHeads, feedForwardSize },
    ...{ encoderLayers, decoderLayers, preNorm, dropout, attentionDropout },
  };
}

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeRecurrentConfig(config: RecurrentTranslatorConfig): CompleteRecurrentTranslatorConfig {
  const where = 'RecurrentTranslator';
  const { cell = 'gru', attention = 'bahdanau', embeddingSize = 256, hiddenSize = 256 } = config;
  const { encoderLayers = 1, decoderLayers = 1, dropout = 0.3 } = config;
  checkChoice(where, 'cell', cell, ['gru', 'lstm']);
  checkChoice(where, 'attention', attention, ['bahdanau', 'luong', 'luong-plain']);
  for (const [name, value] of Object.entries({ embeddingSize, hiddenSize, encoderLayers, decoderLayers })) {
    checkNumber(where, name, value, positive);
  }
  checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
  return {
    ...{ architecture: 'recurrent', ...common(where, config), cell, attention },
    ...{ embeddingSize, hiddenSize, encoderLayers, decoderLayers, dropout },
  };
}
