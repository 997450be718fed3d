export { type CalibrateOptions, calibrate } from './calibrate.ts';
export {
  type ForecasterArchitecture,
  type ForecasterConfig,
  forecasterArchitectures,
  type SeriesStatistics,
  type SeriesTransform,
  seriesTransforms,
} from './config.ts';
export {
  type EvaluateForecasterOptions,
  evaluateForecaster,
  type FeatureEvaluation,
  type ForecasterEvaluation,
  type PointErrors,
} from './evaluate.ts';
export {
  type FeatureForecast,
  type ForecastOptions,
  forecast,
  type PredictionInterval,
  type SeasonalNaiveOptions,
  seasonalNaive,
} from './forecast.ts';
export { Forecaster, type ForecasterOptions } from './model.ts';
export {
  decodeForecaster,
  describeForecaster,
  type EncodeForecasterOptions,
  encodeForecaster,
  type ForecasterDescription,
  type LoadedForecaster,
} from './saved.ts';
export { type SeriesStatisticsOptions, seriesStatistics } from './scaling.ts';
export { type ForecasterTrainingOptions, type TrainForecasterOptions, trainForecaster } from './train.ts';
