export { AdditiveAttention, type AdditiveAttentionOptions } from './additive-attention.ts';
export { AttentionDecoder, type AttentionDecoderOptions, type AttentionDecoderState } from './attention-decoder.ts';
export {
  type DecoderArguments,
  type DecoderCache,
  type DecoderCallOptions,
  type DecoderLayerCache,
  type DecoderLayerResult,
  type DecoderResult,
  type DecoderStepResult,
  TransformerDecoder,
  TransformerDecoderLayer,
  type TransformerDecoderLayerOptions,
  type TransformerDecoderOptions,
} from './decoder.ts';
export {
  type EncoderCache,
  type EncoderResult,
  type EncoderStepResult,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerEncoderOptions,
} from './encoder.ts';
export { type Activation, FeedForward, type FeedForwardOptions } from './feed-forward.ts';
export { GPT, type GPTOptions, type GPTStepResult } from './gpt.ts';
export type { AttentionCallOptions, AttentionResult, HeadOptions } from './heads.ts';
export type { Norm, TransformerLayerOptions } from './layer-options.ts';
export type { AttentionMask, Lengths } from './mask.ts';
export type { ContextResult, MemoryAttention, MemoryAttentionCallOptions } from './memory-attention.ts';
export {
  MultiHeadAttention,
  type MultiHeadAttentionArguments,
  type MultiHeadAttentionOptions,
  type ProjectedMemory,
} from './multi-head-attention.ts';
export { MultiplicativeAttention, type MultiplicativeAttentionOptions } from './multiplicative-attention.ts';
export { type CachedStepOptions, SelfAttention } from './self-attention.ts';
export {
  Transformer,
  type TransformerArguments,
  type TransformerCallOptions,
  type TransformerOptions,
  type TransformerResult,
} from './transformer.ts';
