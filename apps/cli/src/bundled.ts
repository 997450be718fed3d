import { fileURLToPath } from 'node:url';

const inData = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.url));

/** Files that come along with this package. */
export const bundled: {
  readonly tunes: string;
  readonly pretrained: string;
  readonly sentiment: string;
  readonly tagging: string;
  readonly translation: string;
  readonly series: string;
  readonly emoji: string;
} = {
  /** Traditional tunes out of copyright, in ABC. */
  tunes: inData('tunes.abc'),
  /** A small model trained on Irish tunes, in half precision; see MODEL_CARD.md beside it. */
  pretrained: inData('pretrained/irish-lstm-f16.safetensors'),
  /** Sentences, positive, negative and neutral; see README.md beside them. */
  sentiment: inData('sentiment.tsv'),
  /** Requests with names of people, places, organisations and dates. */
  tagging: inData('tagging.conll'),
  /** Messages of the TypeScript compiler in English and French. */
  translation: inData('messages.tsv'),
  /** Monthly passengers of a made-up airline. */
  series: inData('passengers.csv'),
  /** A folder: pictures of Noto Emoji and their names. */
  emoji: inData('emoji'),
};
