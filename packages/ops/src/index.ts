// These live in core, whose layers need them: see docs/decisions/2026-11-23-core-owns-three-ops.md.
export {
  type DropoutOptions,
  dropout,
  dropoutMask,
  type LayerNormArguments,
  layerNorm,
  type RmsNormArguments,
  rmsNorm,
} from '@ostinato/core';
export {
  type ScaledDotProductAttentionArguments,
  type ScaledDotProductAttentionOptions,
  scaledDotProductAttention,
  type WeightedAttention,
  type WithWeights,
} from './attention.ts';
export {
  type AttentionCache,
  type CachedAttentionArguments,
  type CachedAttentionOptions,
  type CachedAttentionResult,
  cachedAttention,
} from './cached-attention.ts';
export { type EmbeddingLookupArguments, type EmbeddingLookupOptions, embeddingLookup } from './embedding-lookup.ts';
export { type GeluOptions, gelu } from './gelu.ts';
export { type GruSequenceArguments, type GruSequenceOptions, gruSequence } from './gru-sequence.ts';
export {
  type ActivationName,
  activationsByName,
  type LinearWeights,
  type NormWeights,
  type TransformerLayerStepArguments,
  type TransformerLayerStepOptions,
  transformerLayerStep,
} from './layer-step.ts';
export { type LstmSequenceArguments, lstmSequence } from './lstm-sequence.ts';
export type { OptimizerRule } from './optimizer-rules.ts';
export {
  euclideanNorm,
  type OptimizerStepArguments,
  type OptimizerStepResult,
  type OptimizerUpdateResult,
  optimizerStep,
  optimizerStepNorm,
  optimizerUpdate,
  stepsInPlace,
} from './optimizer-step.ts';
export {
  type PackedAttentionArguments,
  type PackedAttentionOptions,
  packedAttention,
  unpackedHeads,
} from './packed-attention.ts';
export { type RnnSequenceArguments, type RnnSequenceOptions, rnnSequence } from './rnn-sequence.ts';
export { type AllStates, checkLengths, type LastState, type SequenceOptions, type SequenceSizes } from './sequence.ts';
export { silu } from './silu.ts';
export {
  type Reduction,
  type SoftmaxCrossEntropyArguments,
  type SoftmaxCrossEntropyOptions,
  softmaxCrossEntropy,
} from './softmax-cross-entropy.ts';
