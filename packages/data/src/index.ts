export {
  type ConcatenatedDocuments,
  concatenateDocuments,
  type Split,
  type SplitDocumentsOptions,
  type SplitOptions,
  splitDocuments,
  splitTokens,
} from './documents.ts';
export { LengthBatches, type LengthBatchesOptions, type LengthBatchesState } from './length-batches.ts';
export {
  type LabelledOptions,
  type LabelledText,
  type PairOptions,
  streamLabelled,
  streamLines,
  streamPairs,
  type TextChunks,
  type TextPair,
} from './lines.ts';
export { type PaddedBatch, type PadOptions, padSequences } from './padding.ts';
export { type RecordOptions, splitRecords, streamRecords } from './records.ts';
export {
  checkSeries,
  type Series,
  type SeriesParts,
  type SplitSeriesOptions,
  seriesOf,
  sliceSeries,
  splitSeries,
  type TimeRange,
} from './series.ts';
export {
  type SeriesBatch,
  SeriesWindows,
  type SeriesWindowsOptions,
  type SeriesWindowsState,
} from './series-windows.ts';
export { Shuffle, type ShuffleOptions, type ShuffleState } from './shuffle.ts';
export type { BatchSource, Resumable, TokenArray, WindowBatch } from './source.ts';
export {
  ContiguousStreams,
  type ContiguousStreamsOptions,
  type ContiguousStreamsState,
  type StreamBatch,
} from './streams.ts';
export {
  RandomWindows,
  type RandomWindowsOptions,
  type RandomWindowsState,
  SequentialWindows,
  type SequentialWindowsOptions,
  type SequentialWindowsState,
} from './windows.ts';
