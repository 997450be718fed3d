export { Embedding, type EmbeddingOptions, TiedOutput, type TiedOutputOptions } from './embedding.ts';
