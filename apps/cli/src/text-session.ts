import { existsSync } from 'node:fs';
import { FormatError, Rng } from '@ostinato/core';
import { readTextStream } from '@ostinato/data/node';
import { type PretrainedVectors, readVectors } from '@ostinato/embeddings';
import type { TokenEncoderConfig } from '@ostinato/tasks/sentiment';
import { BpeTokenizer, type Tokenizer, WordTokenizer } from '@ostinato/tokenizers';
import { badInput } from './failure.ts';
import type { TaskRecord } from './task-session.ts';
import type { TextTrainOptions } from './text-train-options.ts';

/** The part of the record that is in the options. */
export function recordOf(
  task: 'sentiment' | 'tagging',
  options: TextTrainOptions,
  files: TaskRecord['files'],
): TaskRecord {
  const { textColumn = 'text', labelColumn = 'label', validation, seed } = options;
  const { epochs, learningRate, schedule, weightDecay, clipNorm, labelSmoothing, averageDecay, freezeVectors } =
    options;
  return {
    ...{ task, files, validation, seed, logEvery: options.logEvery, checkpointEvery: options.checkpointEvery ?? null },
    reading: { format: options.format ?? 'auto', textColumn, labelColumn },
    training: {
      ...{ epochs, batchSize: options.batch, learningRate, schedule, weightDecay, clipNorm, labelSmoothing },
      ...{ averageDecay, freezeVectors, seed },
      ...(options.patience === undefined ? {} : { patience: options.patience }),
    },
  };
}

/** The tokenizer of some texts. `separates`: punctuation marks are words of their own. */
export function trainTextTokenizer(
  texts: readonly string[],
  options: TextTrainOptions,
  { separates }: { readonly separates: boolean },
): Tokenizer {
  const lowercase = !options.keepCase;
  const { vocabularySize, minimumFrequency } = options;
  if (options.tokenizer === 'bpe') {
    return BpeTokenizer.train(texts, { lowercase, maximumSize: vocabularySize ?? 4000 });
  }
  const size = vocabularySize === undefined ? {} : { maximumSize: vocabularySize };
  return WordTokenizer.train(texts, { ...size, lowercase, minimumFrequency, separatePunctuation: separates });
}

/** The vectors of `--vectors` for a vocabulary; null without them. */
export async function vectorsOf(options: TextTrainOptions, tokenizer: Tokenizer): Promise<PretrainedVectors | null> {
  if (options.vectors === undefined) return null;
  if (!(tokenizer instanceof WordTokenizer)) {
    throw badInput('--vectors', 'the tokens must be words', `--tokenizer ${options.tokenizer}`);
  }
  if (!existsSync(options.vectors)) throw badInput('--vectors', 'no such file', `'${options.vectors}'`);
  try {
    const { vocabulary } = tokenizer;
    const rng = new Rng(options.seed).split('vectors');
    return await readVectors(readTextStream(options.vectors), {
      vocabulary,
      ignoreCase: options.keepCase,
      ...(options.embedding === undefined ? {} : { size: options.embedding }),
      rng,
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError({ ...error.parts, where: `--vectors ${options.vectors}`, cause: error });
  }
}

/** Shape of the encoder. */
export function encoderConfigOf(
  options: TextTrainOptions,
  vocabularySize: number,
  vectors: PretrainedVectors | null,
): TokenEncoderConfig {
  const { encoder, hidden, layers, heads, kernels, oneDirection } = options;
  const { dropout, embeddingDropout, wordDropout } = options;
  if (encoder === 'transformer' && (hidden % heads !== 0 || hidden % 2 !== 0)) {
    throw badInput('--hidden', 'must be even and divisible by --heads', `${hidden} and ${heads}`);
  }
  return {
    ...{ vocabularySize, embeddingSize: vectors?.size ?? options.embedding ?? 100, encoder, hiddenSize: hidden },
    ...{ numLayers: layers, numHeads: heads, kernelSizes: kernels, bidirectional: !oneDirection },
    ...{ dropout, embeddingDropout, wordDropout },
  };
}
