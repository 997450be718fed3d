import { checkNumber, disposeState } from '@ostinato/core';
import { type BeamSearchOptions, beamSearch, type LengthPenalty } from '@ostinato/decoding';
import type { Tokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { batchOf, checkTokenizer, checkValues, type PictureValues } from './examples.ts';
import type { Captioner } from './model.ts';

/** How captions are searched for. */
export interface CaptionSearchOptions
  extends Pick<BeamSearchOptions<never>, 'earlyStopping' | 'noRepeatNgram' | 'minimumTokens' | 'signal'> {
  /** Hypotheses that stay in the race; 1 is greedy. Default 5. */
  readonly beamSize?: number | undefined;
  /** Default `{ kind: 'average', alpha: 0.5 }`. */
  readonly lengthPenalty?: LengthPenalty | undefined;
  /** Most tokens of a caption. Default 40. */
  readonly maximumTokens?: number | undefined;
  /** Pictures that are captioned together; the result does not depend on it. Default 32. */
  readonly batchSize?: number | undefined;
}

/** Options of `caption`. */
export interface CaptionOptions extends CaptionSearchOptions {
  readonly model: Captioner;
  readonly tokenizer: Tokenizer;
  readonly pictures: readonly PictureValues[];
  /** How many captions of each picture, at most `beamSize`. Default 1. */
  readonly count?: number | undefined;
  /** Whether to tell where each word of the best caption looked. Default false. */
  readonly attention?: boolean | undefined;
}

/** One way to say it. */
export interface CaptionAlternative {
  readonly text: string;
  /** ln p of the whole, the end included. */
  readonly logProbability: number;
  /** What it was ranked by. */
  readonly score: number;
  /** Whether it came to its end, rather than to `maximumTokens`. */
  readonly finished: boolean;
}

/** Where the words of a caption looked. */
export interface PictureAttention {
  /** Tokens of the caption as text, its end among them. */
  readonly tokens: readonly string[];
  /** Rows and columns of the places that the model sees. */
  readonly grid: readonly [rows: number, columns: number];
  /** For each token the mean over layers and heads, places row after row; sums to 1. */
  readonly weights: readonly (readonly number[])[];
}

/** What a picture shows. */
export interface Caption extends CaptionAlternative {
  /** Best first, this one among them. */
  readonly alternatives: readonly CaptionAlternative[];
  /** When it was asked for. */
  readonly attention?: PictureAttention | undefined;
}

/**
 * Says what pictures show, in their order, by beam search.
 *
 * @throws ArgumentError when a picture has another size than the model reads, the tokenizer is not the model's, or an option is out of
 * range; the signal's reason
 */
export async function caption({
  model,
  tokenizer,
  pictures,
  attention = false,
  batchSize = 32,
  ...options
}: CaptionOptions): Promise<Caption[]> {
  const where = 'caption';
  const { beginning, end } = checkTokenizer(where, tokenizer, model);
  checkValues(where, pictures, model);
  checkNumber(where, 'batchSize', batchSize, { integer: true, min: 1 });
  const { beamSize = 5, lengthPenalty = { kind: 'average', alpha: 0.5 }, maximumTokens = 40, count } = options;
  const { earlyStopping, noRepeatNgram, minimumTokens, signal } = options;
  const { paddingId, unknownId } = tokenizer;
  const captions: Caption[] = [];
  for (let first = 0; first < pictures.length; first += batchSize) {
    const part = pictures.slice(first, first + batchSize);
    const batch = batchOf(part, model);
    const initialState = model.initialState(batch, { maximumTime: maximumTokens });
    try {
      const found = await beamSearch({
        step: (tokens, state) => model.step(tf.tensor1d(tokens, 'int32'), state),
        initialState,
        prompts: part.map(() => [beginning]),
        endToken: end,
        suppress: [beginning, paddingId, unknownId].filter(id => id !== undefined && id !== end) as number[],
        isFixed: path => model.isFixed(path),
        ...{ beamSize, lengthPenalty, maximumTokens, count, earlyStopping, noRepeatNgram, minimumTokens, signal },
      });
      found.forEach((hypotheses, i) => {
        const alternatives = hypotheses.map(({ tokens, logProbability, score, finished }) => ({
          text: written(tokenizer.decode(finished ? tokens.subarray(0, -1) : tokens, { skipSpecialTokens: true })),
          ...{ logProbability, score, finished },
        }));
        const looked = attention ? looks(model, tokenizer, part[i]!, hypotheses[0]!.tokens) : undefined;
        captions.push({ ...alternatives[0]!, alternatives, ...(looked ? { attention: looked } : {}) });
      });
    } finally {
      disposeState(initialState);
      batch.dispose();
    }
  }
  return captions;
}

/** Marks stand at their words, also where a tokenizer makes words of them. */
function written(text: string): string {
  return text
    .replaceAll(/ ([.,!?;:)])/g, '$1')
    .replaceAll('( ', '(')
    .trim();
}

function looks(model: Captioner, tokenizer: Tokenizer, picture: PictureValues, said: Int32Array): PictureAttention {
  const ids = Int32Array.of(tokenizer.beginningId!, ...said.subarray(0, -1));
  const weights = tf.tidy(() => {
    const target = tf.tensor2d(ids, [1, ids.length], 'int32');
    const layers = model.attention({ pictures: batchOf([picture], model), target }).map(layer => tf.mean(layer, 1));
    return tf.squeeze<tf.Tensor2D>(tf.mean(tf.stack(layers), 0), [0]).arraySync(); // [T, places]
  });
  const tokens = Array.from(said, id => tokenizer.decode([id]).trim() || (tokenizer.idToToken(id) ?? ''));
  return { tokens, weights, grid: model.encoder.grid };
}
