export { mostFrequentCaption, nearestNeighbourCaptions } from './baselines.ts';
export {
  type Caption,
  type CaptionAlternative,
  type CaptionOptions,
  type CaptionSearchOptions,
  caption,
  type PictureAttention,
} from './caption.ts';
export { type CaptionerConfig, type PictureEncoderName, pictureEncoderNames } from './config.ts';
export {
  type CaptionerEvaluation,
  type CaptionScores,
  type EvaluateCaptionerOptions,
  evaluate,
  scoreCaptions,
} from './evaluate.ts';
export { type CaptionedPicture, type PictureValues, trainCaptionTokenizer } from './examples.ts';
export { Captioner, type CaptionerInputs } from './model.ts';
export { type Picture, pictureValues } from './pictures.ts';
export {
  type CaptionerDescription,
  decodeCaptioner,
  describeCaptioner,
  type EncodeCaptionerOptions,
  encodeCaptioner,
  type LoadedCaptioner,
} from './saved.ts';
export { type CaptionerTrainingOptions, type TrainCaptionerOptions, trainCaptioner } from './train.ts';
