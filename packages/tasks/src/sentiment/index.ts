export { type PoolingName, poolingNames } from '../shared/pooling.ts';
export { type EncoderName, encoderNames, type TokenEncoderConfig } from '../shared/token-encoder-config.ts';
export { type Classification, type ClassifyOptions, classify } from './classify.ts';
export type { CompleteTextClassifierConfig, TextClassifierConfig } from './config.ts';
export { type LabelledText, labelsOf } from './data.ts';
export { type ClassifierEvaluation, type EvaluateOptions, evaluate } from './evaluate.ts';
export {
  type ExplainOptions,
  type Explanation,
  occlusion,
  saliency,
  type TellingWord,
  type TellingWordsOptions,
  type TokenScore,
  tellingWords,
} from './explain.ts';
export { TextClassifier, type TextClassifierOptions } from './model.ts';
export {
  decodeTextClassifier,
  describeTextClassifier,
  type EncodeTextClassifierOptions,
  encodeTextClassifier,
  type LoadedTextClassifier,
  type TextClassifierDescription,
} from './saved.ts';
export {
  type TextClassifierTrainingOptions,
  type TrainTextClassifierOptions,
  trainTextClassifier,
} from './train.ts';
