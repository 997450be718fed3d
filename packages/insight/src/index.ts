export type { FigureOptions } from './figure-options.ts';
export { type ForecastBand, type ForecastPlotOptions, forecastPlot } from './forecast-plot.ts';
export { type GradientNormPlotOptions, type GradientNormSeries, gradientNormPlot } from './gradient-norm-plot.ts';
export { type HeatmapOptions, heatmap, heatmapText } from './heatmap.ts';
export { type LossCurveOptions, type LossPoint, type LossSeries, lossCurve } from './loss-curve.ts';
export {
  type PictureAttentionData,
  type PictureAttentionOptions,
  pictureAttention,
  pictureAttentionText,
} from './picture-attention.ts';
export {
  type KernelProfile,
  type Peak,
  profileStep,
  profileTable,
  type StepProfile,
} from './profile.ts';
export { smooth } from './smooth.ts';
export { sparkline } from './sparkline.ts';
export {
  type ScoredToken,
  type TokenScoresFigureOptions,
  type TokenScoresTextOptions,
  tokenScoresFigure,
  tokenScoresText,
} from './token-scores.ts';
