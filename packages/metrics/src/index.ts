export {
  type BleuOptions,
  type BleuScore,
  type BleuSmoothing,
  bleuSmoothings,
  corpusBleu,
  formatBleu,
  sentenceBleu,
} from './bleu.ts';
export { type BleuTokenizer, bleuTokenizers, tokenizeForBleu } from './bleu-tokenizers.ts';
export { type ChrfOptions, type ChrfScore, corpusChrf, formatChrf, sentenceChrf } from './chrf.ts';
export { type CiderOptions, type CiderScore, corpusCider } from './cider.ts';
export {
  accuracy,
  type ClassificationReport,
  classificationReport,
  confusionMatrix,
  type PrecisionRecall,
  topAccuracy,
} from './classification.ts';
export { MetricError, type MetricErrorParts } from './errors.ts';
export { type ForecastErrors, forecastErrors, intervalCoverage, mase, pinballLoss } from './forecasting.ts';
export {
  bitsPerCharacter,
  bitsPerToken,
  natsFromBits,
  natsFromBitsPerCharacter,
  natsFromPerplexity,
  perplexity,
  type TextSize,
  TokenLossMean,
} from './perplexity.ts';
export { type RankingReport, rankingReport } from './ranking.ts';
export { type References, sacrebleuVersion } from './references.ts';
export {
  corpusRouge,
  type RougeOptions,
  type RougeScore,
  type RougeValues,
  rougeWords,
  sentenceRouge,
} from './rouge.ts';
export { isIob, type Span, type SpanReport, spanReport, spansOf } from './spans.ts';
export { corpusTer, formatTer, sentenceTer, type TerOptions, type TerScore } from './ter.ts';
