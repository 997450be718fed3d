export { type AttentionMap, attentionMap, meanAttention } from './attention-map.ts';
export {
  type CompleteRecurrentTranslatorConfig,
  type CompleteTransformerTranslatorConfig,
  type RecurrentTranslatorConfig,
  type TransformerTranslatorConfig,
  type TranslatorConfig,
  type TranslatorName,
  translatorNames,
} from './config.ts';
export { type EvaluateOptions, evaluate, type TranslationEvaluation } from './evaluate.ts';
export {
  createTranslator,
  type Translator,
  type TranslatorCallOptions,
  type TranslatorInputs,
  type TranslatorStep,
} from './model.ts';
export { RecurrentTranslator } from './recurrent.ts';
export {
  decodeTranslator,
  describeTranslator,
  type EncodeTranslatorOptions,
  encodeTranslator,
  type LoadedTranslator,
  type TranslatorDescription,
} from './saved.ts';
export {
  type SentencePair,
  type TrainTokenizersOptions,
  type TranslationTokenizers,
  tokenizerNames,
  trainTokenizers,
} from './tokenizers.ts';
export { type TrainTranslatorOptions, type TranslatorTrainingOptions, trainTranslator } from './train.ts';
export { TransformerTranslator } from './transformer.ts';
export {
  type Alternative,
  type SearchOptions,
  type TranslateOptions,
  type Translation,
  translate,
} from './translate.ts';
