export { type AlibiOptions, alibiBias, alibiSlopes } from './alibi.ts';
export { Embedding, type EmbeddingOptions, TiedOutput, type TiedOutputOptions } from './embedding.ts';
export { LearnedPositions, type LearnedPositionsOptions } from './learned-positions.ts';
export type { PositionOptions } from './positions.ts';
export { type PretrainedVectors, type ReadVectorsOptions, readVectors } from './pretrained.ts';
export {
  RelativeBias,
  type RelativeBiasCallOptions,
  type RelativeBiasOptions,
  type RelativeBucketOptions,
  relativeBuckets,
} from './relative-bias.ts';
export { type RotaryCallOptions, type RotaryOptions, rotary } from './rotary.ts';
export { type SinusoidalOptions, SinusoidalPositions } from './sinusoidal.ts';
