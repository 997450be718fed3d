import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { GPT } from '@ostinato/attention';
import { type Module, parameters, Rng, spectralRadius, valueAndGrad, zeros } from '@ostinato/core';
import { gradientNormPlot, heatmap } from '@ostinato/insight';
import { LSTM, RNNCell, traceCell, unroll } from '@ostinato/recurrent';
import { LanguageModel } from '@ostinato/tasks/language-modeling';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import { adam, chain, clipByGlobalNorm, crossEntropy, gradientThroughTime, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { coursePages, pageTexts, refresh } from './course-pages.ts';
import type { Benchmark, Report } from './report.ts';
import { ReversingTransformer } from './reversing-transformer.ts';

const folder = resolve(import.meta.dirname, '../docs/course');

const rowsOf = (tensor: tf.Tensor): number[][] => (tensor as tf.Tensor2D).arraySync();

/** Trains on what `loss` gives for each step; the last loss. */
function train(model: Module, loss: (rng: Rng) => tf.Tensor, steps: number, learningRate: number): number {
  const optimizer = new Optimizer(chain(clipByGlobalNorm(1), adam({ learningRate })), parameters(model));
  const rng = new Rng(11);
  let last = Number.NaN;
  for (let step = 0; step < steps; step++) {
    const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({ loss: loss(rng.split(step)) }));
    optimizer.apply(gradients);
    last = value.dataSync()[0]!;
    tf.dispose([value, ...gradients.values()]);
  }
  optimizer.dispose();
  return last;
}

/** The states of a small network that is pushed once: what it remembers, and for how long. */
function recurrence(): string {
  const cell = new RNNCell({
    ...{ inputSize: 1, hiddenSize: 12, recurrentInitializer: spectralRadius(0.95), biasInitializer: zeros },
    rng: new Rng(3),
  });
  const values = tf.tidy(() => {
    const push = tf.tensor3d([2, ...new Array<number>(39).fill(0)], [1, 40, 1]);
    return rowsOf(tf.transpose(tf.squeeze(traceCell(cell, push)['hidden']!, [0])));
  });
  cell.dispose();
  return heatmap({
    title: 'States after one push at t = 0',
    ...{ values, xLabel: 'time step t', yLabel: 'hidden unit' },
  });
}

/** Norms of dL/dh_t for a loss at every step: through the whole sequence, and in windows of twenty steps. */
async function backpropagation(): Promise<string> {
  const [time, window] = [80, 20];
  const cell = new RNNCell({ inputSize: 4, hiddenSize: 32, recurrentInitializer: spectralRadius(1), rng: new Rng(2) });
  const input = new Rng(5).normal([8, time, 4], 0, 0.05);
  const direction = new Rng(6).normal([1, 1, 32]);
  const loss = (output: tf.Tensor): tf.Tensor => tf.sum(tf.mul(output, direction));
  const steps = (from: number, to: number): tf.Tensor => tf.slice(input, [0, from, 0], [-1, to - from, -1]);
  const norms = async (from: number, to: number): Promise<number[]> => {
    const state = tf.tidy(() => (from === 0 ? cell.initialState(8) : unroll(cell, steps(0, from)).state));
    const part = steps(from, to);
    const result = await gradientThroughTime({ cell, input: part, loss, state });
    tf.dispose([part, state.hidden]);
    return [...result.norms.get('hidden')!];
  };
  const whole = await norms(0, time);
  const cut: number[] = [];
  for (let from = 0; from < time; from += window) cut.push(...(await norms(from, from + window)).slice(0, window));
  cell.dispose();
  tf.dispose([input, direction]);
  return gradientNormPlot({
    title: 'A loss at every step, its gradient at each state',
    series: [
      { name: 'through all 80 steps', norms: whole.slice(0, time) },
      { name: 'truncated: windows of 20', norms: cut },
    ],
    logarithmic: false,
  });
}

/** The cell of an LSTM that has learned to carry the first symbol to the end. */
function gates(report: Report): string {
  const [alphabet, time] = [4, 16];
  const model = new LanguageModel({
    vocabularySize: alphabet + 2,
    embeddingSize: 8,
    hiddenSize: 12,
    recurrent: new LSTM({ inputSize: 8, hiddenSize: 12, forgetBias: 3, rng: new Rng(4) }),
    rng: new Rng(5),
  });
  const [noise, ask] = [alphabet, alphabet + 1];
  const rows = (rng: Rng, count: number): { ids: tf.Tensor; labels: tf.Tensor } => {
    const first = Array.from({ length: count }, () => rng.integer(alphabet));
    const ids = first.flatMap(symbol => [symbol, ...new Array<number>(time - 2).fill(noise), ask]);
    return { ids: tf.tensor2d(ids, [count, time], 'int32'), labels: tf.tensor1d(first, 'int32') };
  };
  const last = train(
    model,
    rng => {
      const { ids, labels } = rows(rng, 32);
      const { logits } = model.call(ids);
      return crossEntropy({ logits: tf.squeeze(tf.slice(logits, [0, time - 1, 0], [-1, 1, -1]), [1]), labels });
    },
    ...([600, 0.01] as const),
  );
  report(`gates: carries the first of ${alphabet} symbols over ${time} steps with a loss of ${last.toFixed(4)} nats`);
  const values = tf.tidy(() => {
    const ids = tf.tensor2d([2, ...new Array<number>(time - 2).fill(noise), ask], [1, time], 'int32');
    const cell = (model.recurrent as LSTM).layers[0]!.forward;
    const trace = traceCell(cell, model.embedding.call(ids));
    const least = tf.min(tf.mean(tf.squeeze(trace['f']!, [0]), 0)).dataSync()[0]!;
    report(`gates: every forget gate is ${least.toFixed(2)} open or more, on average`);
    return rowsOf(tf.transpose(tf.squeeze(trace['cell']!, [0])));
  });
  model.dispose();
  return heatmap({
    title: 'Cell of an LSTM that carries the first symbol to the end',
    ...{ values, xLabel: 'the symbol x, noise, the question', yLabel: 'unit' },
    columns: ['x', ...new Array<string>(time - 2).fill('·'), '?'],
  });
}

/** How alike the letters' vectors are, after a model has read English. */
function embedding(report: Report): string {
  const text = pageTexts()
    .replaceAll(/[^a-zA-Z ,.]+/g, ' ')
    .replaceAll(/ +/g, ' ')
    .toLowerCase();
  const tokenizer = CharacterTokenizer.train(text);
  const ids = tokenizer.encode(text);
  const model = new LanguageModel({
    ...{ vocabularySize: tokenizer.vocabularySize, embeddingSize: 8, hiddenSize: 64, cell: 'gru' },
    rng: new Rng(8),
  });
  // From small vectors, so that what is learned shows, not what was drawn.
  const small = tf.tidy(() => tf.mul(model.embedding.table, 0.05));
  model.embedding.table.assign(small);
  small.dispose();
  const [batch, time] = [32, 40];
  const last = train(
    model,
    rng => {
      const starts = Array.from({ length: batch }, () => rng.integer(ids.length - time - 1));
      const window = (offset: number): tf.Tensor =>
        tf.tensor2d(
          starts.flatMap(start => [...ids.slice(start + offset, start + offset + time)]),
          [batch, time],
          'int32',
        );
      return crossEntropy({ logits: model.call(window(0)).logits, labels: window(1) });
    },
    ...([400, 0.01] as const),
  );
  report(`embedding: ${text.length} characters of these pages, ${last.toFixed(2)} nats`);
  const letters = [...'aeiouybcdfghklmnprstvw'];
  const values = tf.tidy(() => {
    const ids = tf.tensor1d(
      letters.flatMap(letter => [...tokenizer.encode(letter)]),
      'int32',
    );
    const vectors = model.embedding.call(ids);
    const centred = tf.sub(vectors, tf.mean(vectors, 0, true));
    const unit = tf.div(centred, tf.norm(centred, 2, 1, true));
    return rowsOf(tf.matMul(unit, unit, false, true));
  });
  model.dispose();
  return heatmap({
    title: 'Cosine of the letters’ vectors, vowels first',
    ...{ values, rows: letters, columns: letters, range: [-1, 1], width: 560, height: 520 },
  });
}

/** Where the decoder looks, when it writes a word backwards. */
function attention(report: Report): string {
  const symbols = 8;
  const model = new ReversingTransformer({ alphabet: 10, size: 32, rng: new Rng(1) });
  const last = train(model, rng => model.loss(rng, { rows: 64, symbols }), 900, 0.005);
  report(`attention: reverses ${symbols} symbols with a loss of ${last.toFixed(4)} nats a symbol`);
  const word = [3, 1, 4, 1, 5, 9, 2, 6];
  const values = tf.tidy(() => rowsOf(model.weights(word)));
  model.dispose();
  return heatmap({
    title: 'Cross-attention of a transformer that reverses',
    ...{ values, range: [0, 1], width: 520, height: 460, xLabel: 'source', yLabel: 'answer' },
    ...{ columns: word.map(String), rows: word.toReversed().map(String) },
  });
}

/** A GPT's attention on a sequence that is said twice. */
function transformer(report: Report): string {
  const [alphabet, half] = [16, 12];
  const model = new GPT({
    ...{ vocabularySize: alphabet, maximumTime: 2 * half, size: 64, numLayers: 2, numHeads: 2 },
    rng: new Rng(1),
  });
  const twice = (rng: Rng, rows: number): number[][] =>
    Array.from({ length: rows }, () => {
      const said = Array.from({ length: half }, () => rng.integer(alphabet));
      return [...said, ...said];
    });
  const losses = (rows: number[][]): tf.Tensor => {
    const ids = tf.tensor2d(rows, [rows.length, 2 * half], 'int32');
    const inputs = tf.slice(ids, [0, 0], [-1, 2 * half - 1]);
    const labels = tf.slice(ids, [0, 1], [-1, 2 * half - 1]);
    return crossEntropy({ logits: model.call(inputs), labels }, { reduction: 'none' }); // [B, 2 half − 1]
  };
  train(model, rng => tf.mean(losses(twice(rng, 64))), 1500, 0.002);
  const perPosition = tf.tidy(() => [...tf.mean(losses(twice(new Rng(99), 500)), 0).dataSync()]);
  model.dispose();
  const mean = (from: number, to: number): string =>
    (perPosition.slice(from, to).reduce((sum, value) => sum + value, 0) / (to - from)).toFixed(3);
  report(`transformer: ${mean(0, half - 1)} nats while it is new, ${mean(half, 2 * half - 1)} said again`);
  return gradientNormPlot({
    title: `A GPT on ${half} symbols that are said twice`,
    series: [{ name: 'loss', norms: perPosition }],
    ...{ xLabel: 'position', yLabel: 'loss of the next symbol (nats)', logarithmic: false },
  });
}

/**
 * Makes the pages of `docs/course` complete: draws their pictures, and copies the lines of the source that they show from where
 * they are now. What is trained for a picture takes about a minute.
 */
export const course: Benchmark = async report => {
  await tf.setBackend('ostinato-cpu');
  const pictures: Record<string, string> = {
    recurrence: recurrence(),
    'backpropagation-through-time': await backpropagation(),
    gates: gates(report),
    embedding: embedding(report),
    attention: attention(report),
    transformer: transformer(report),
  };
  for (const [name, svg] of Object.entries(pictures)) writeFileSync(resolve(folder, `${name}.svg`), `${svg}\n`);
  for (const page of coursePages()) writeFileSync(page.path, refresh(page.text));
  report(`wrote ${Object.keys(pictures).length} pictures and ${coursePages().length} pages in ${folder}`);
  return { pictures: Object.keys(pictures).length };
};
