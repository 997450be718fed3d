export { type EncoderName, encoderNames, type TokenEncoderConfig } from '../shared/token-encoder-config.ts';
export { formatTaggedSentences, type ParseTaggedOptions, parseTaggedSentences } from './columns.ts';
export type { CompleteSequenceTaggerConfig, SequenceTaggerConfig } from './config.ts';
export { type TaggedSentence, tagsOf } from './data.ts';
export { type EvaluateOptions, evaluate, type TaggerEvaluation } from './evaluate.ts';
export { SequenceTagger, type SequenceTaggerOptions } from './model.ts';
export {
  decodeSequenceTagger,
  describeSequenceTagger,
  type EncodeSequenceTaggerOptions,
  encodeSequenceTagger,
  type LoadedSequenceTagger,
  type SequenceTaggerDescription,
} from './saved.ts';
export { type PredictedTags, type TagOptions, tag } from './tag.ts';
export {
  type SequenceTaggerTrainingOptions,
  type TrainSequenceTaggerOptions,
  trainSequenceTagger,
} from './train.ts';
