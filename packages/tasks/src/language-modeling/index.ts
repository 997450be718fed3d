export {
  type Architecture,
  architectures,
  type CellName,
  cellNames,
  type LanguageModelConfig,
  type RecurrentLanguageModelConfig,
  type RecurrentLayer,
  type TransformerLanguageModelConfig,
} from './config.ts';
export { type CharacterEvaluation, type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export { type GenerateTextOptions, generateText, type TextPiece, type TextRowOverrides } from './generate.ts';
export { KneserNey, type KneserNeyOptions } from './kneser-ney.ts';
export {
  type HiddenResult,
  LanguageModel,
  type LanguageModelCallOptions,
  type LanguageModelOptions,
  type LanguageModelResult,
} from './model.ts';
export {
  type DecodeLanguageModelOptions,
  decodeLanguageModel,
  describeLanguageModel,
  type EncodeLanguageModelOptions,
  encodeLanguageModel,
  type LanguageModelDescription,
  type LoadedLanguageModel,
} from './saved.ts';
export {
  type LanguageModelTrainingOptions,
  type TrainLanguageModelOptions,
  trainLanguageModel,
} from './train.ts';
export {
  type AnyLanguageModel,
  type CreateLanguageModelOptions,
  createLanguageModel,
  TransformerLanguageModel,
  type TransformerLanguageModelOptions,
} from './transformer.ts';
