import '@ostinato/backend-cpu';
import { AdditiveAttention, AttentionDecoder, GPT, Transformer } from '@ostinato/attention';
import { disposeState, Linear, Module, normal, parameters, Rng, valueAndGrad } from '@ostinato/core';
import { Embedding, SinusoidalPositions } from '@ostinato/embeddings';
import { GRU } from '@ostinato/recurrent';
import { adam, chain, clipByGlobalNorm, crossEntropy, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';

/** Words of so many symbols, and what is to be made of them. */
export interface Pairs {
  /** int32 row-major [rows, symbols] */
  readonly sources: Int32Array;
  readonly targets: Int32Array;
  readonly rows: number;
  readonly symbols: number;
}

/** What to make of a word. */
export const answers = {
  copy: (word: Int32Array): Int32Array => word,
  reverse: (word: Int32Array): Int32Array => word.toReversed(),
  sort: (word: Int32Array): Int32Array => word.toSorted(),
};

/** Random words over `alphabet` symbols. */
export function drawPairs(
  rng: Rng,
  answer: (word: Int32Array) => Int32Array,
  { rows, symbols, alphabet }: { rows: number; symbols: number; alphabet: number },
): Pairs {
  const sources = Int32Array.from({ length: rows * symbols }, () => rng.integer(alphabet));
  const targets = new Int32Array(rows * symbols);
  for (let row = 0; row < rows; row++) {
    targets.set(answer(sources.slice(row * symbols, (row + 1) * symbols)), row * symbols);
  }
  return { sources, targets, rows, symbols };
}

const matrix = (values: Int32Array, rows: number): tf.Tensor2D =>
  tf.tensor2d(values, [rows, values.length / rows], 'int32');

/** A model of pairs: a loss to train on, and its own answer, symbol by symbol. */
export interface PairModel extends Module {
  loss(pairs: Pairs): tf.Tensor;
  /** The most likely symbols, row-major [rows, symbols]. */
  answer(pairs: Pairs): Int32Array;
}

/** Rows with `begin` in front and without their last symbol: what the decoder reads while it is told the truth. */
function shifted({ targets, rows, symbols }: Pairs, begin: number): tf.Tensor2D {
  const inputs = new Int32Array(rows * symbols);
  for (let i = 0; i < inputs.length; i++) inputs[i] = i % symbols === 0 ? begin : targets[i - 1]!;
  return matrix(inputs, rows);
}

/** The most likely symbols, one step after the other. */
function greedy({ rows, symbols }: Pairs, begin: number, step: (ids: tf.Tensor) => tf.Tensor): Int32Array {
  const found = new Int32Array(rows * symbols);
  let ids = new Int32Array(rows).fill(begin);
  for (let t = 0; t < symbols; t++) {
    ids = tf.tidy(() => tf.argMax(step(tf.tensor1d(ids, 'int32')), 1).dataSync() as Int32Array).slice();
    for (let row = 0; row < rows; row++) found[row * symbols + t] = ids[row]!;
  }
  return found;
}

interface Sizes {
  readonly alphabet: number;
  readonly size: number;
  readonly rng: Rng;
}

/** Encoder and decoder of one layer and one head. */
export class TransformerPairs extends Module implements PairModel {
  readonly embedding: Embedding;
  readonly positions: SinusoidalPositions;
  readonly transformer: Transformer;
  readonly output: Linear;
  readonly begin: number;

  constructor({ alphabet, size, rng }: Sizes) {
    super();
    this.begin = alphabet;
    this.embedding = new Embedding({ vocabularySize: alphabet + 1, embeddingSize: size, initializer: normal(1), rng });
    this.positions = new SinusoidalPositions({ size });
    this.transformer = new Transformer({
      ...{ size, numHeads: 1, encoderLayers: 1, decoderLayers: 1, feedForwardSize: 2 * size, preNorm: true },
      rng: rng.split('transformer'),
    });
    this.output = new Linear({ inputSize: size, outputSize: alphabet, rng: rng.split('output') });
  }

  #vectors(ids: tf.Tensor, offset = 0): tf.Tensor {
    return this.positions.call(this.embedding.call(ids), { offset });
  }

  loss(pairs: Pairs): tf.Tensor {
    const [source, target] = [
      this.#vectors(matrix(pairs.sources, pairs.rows)),
      this.#vectors(shifted(pairs, this.begin)),
    ];
    const logits = this.output.call(this.transformer.call({ source, target }));
    return crossEntropy({ logits, labels: matrix(pairs.targets, pairs.rows) });
  }

  answer(pairs: Pairs): Int32Array {
    const memory = tf.tidy(() => this.transformer.encoder.call(this.#vectors(matrix(pairs.sources, pairs.rows))));
    let cache = this.transformer.decoder.initialCache(memory, { maximumTime: pairs.symbols });
    const kept = cache.layers.map(layer => layer.memory);
    let time = 0;
    const found = greedy(pairs, this.begin, ids => {
      const x = this.#vectors(tf.expandDims(ids, 1), time++);
      const step = this.transformer.decoder.step(x, cache);
      tf.dispose([cache.lengths, cache.layers.map(layer => layer.self)] as tf.TensorContainer);
      cache = step.cache;
      for (const tensor of [cache.lengths, ...cache.layers.flatMap(layer => Object.values(layer.self))])
        tf.keep(tensor);
      return this.output.call(tf.squeeze(step.output, [1]));
    });
    disposeState(cache);
    tf.dispose([memory, kept] as unknown as tf.TensorContainer);
    return found;
  }

  /** Where each step of the answer looked: the decoder's weights [rows, symbols, symbols]. */
  memoryWeights(pairs: Pairs): Float32Array {
    return tf.tidy(() => {
      const [source, target] = [
        this.#vectors(matrix(pairs.sources, pairs.rows)),
        this.#vectors(shifted(pairs, this.begin)),
      ];
      return this.transformer.withWeights({ source, target }).decoder.memoryWeights[0]!.dataSync() as Float32Array;
    });
  }
}

/** A GPT that reads the word, a sign, and its own answer. */
export class GPTPairs extends Module implements PairModel {
  readonly gpt: GPT;
  readonly begin: number;

  constructor({ alphabet, size, symbols, rng }: Sizes & { symbols: number }) {
    super();
    this.begin = alphabet;
    const sizes = { vocabularySize: alphabet + 1, maximumTime: 2 * symbols, size, numLayers: 2, numHeads: 2 };
    this.gpt = new GPT({ ...sizes, rng });
  }

  loss(pairs: Pairs): tf.Tensor {
    const { rows, symbols } = pairs;
    const ids = tf.concat([matrix(pairs.sources, rows), shifted(pairs, this.begin)], 1); // [B, 2 S]
    const nothing = tf.fill([rows, symbols], -1, 'int32');
    const labels = tf.concat([nothing, matrix(pairs.targets, rows)], 1);
    return crossEntropy({ logits: this.gpt.call(ids), labels }, { ignoreIndex: -1 });
  }

  answer(pairs: Pairs): Int32Array {
    let state = this.gpt.initialState(pairs.rows);
    const read = (ids: tf.Tensor): tf.Tensor => {
      const step = this.gpt.step(ids, state);
      disposeState(state);
      state = step.state;
      for (const tensor of [state.lengths, ...state.layers.flatMap(layer => Object.values(layer))]) tf.keep(tensor);
      return step.logits;
    };
    tf.tidy(() => read(matrix(pairs.sources, pairs.rows)));
    const found = greedy(pairs, this.begin, read);
    disposeState(state);
    return found;
  }
}

/** A GRU that reads the word in both directions, and one with additive attention that answers. */
export class RecurrentPairs extends Module implements PairModel {
  readonly embedding: Embedding;
  readonly encoder: GRU;
  readonly decoder: AttentionDecoder;
  readonly output: Linear;
  readonly begin: number;

  constructor({ alphabet, size, rng }: Sizes) {
    super();
    this.begin = alphabet;
    this.embedding = new Embedding({ vocabularySize: alphabet + 1, embeddingSize: size, rng });
    this.encoder = new GRU({ inputSize: size, hiddenSize: size, bidirectional: true, rng: rng.split('encoder') });
    this.decoder = new AttentionDecoder({
      inputSize: size,
      attention: new AdditiveAttention({ querySize: size, memorySize: 2 * size, rng: rng.split('attention') }),
      cell: inputSize => new GRU({ inputSize, hiddenSize: size, rng: rng.split('decoder') }),
    }) as unknown as AttentionDecoder;
    this.output = new Linear({ inputSize: this.decoder.outputSize, outputSize: alphabet, rng: rng.split('output') });
  }

  #memory(pairs: Pairs): tf.Tensor {
    return this.encoder.call(this.embedding.call(matrix(pairs.sources, pairs.rows))).output;
  }

  loss(pairs: Pairs): tf.Tensor {
    const state = this.decoder.initialState(this.#memory(pairs));
    const { output } = this.decoder.call(this.embedding.call(shifted(pairs, this.begin)), state);
    return crossEntropy({ logits: this.output.call(output), labels: matrix(pairs.targets, pairs.rows) });
  }

  answer(pairs: Pairs): Int32Array {
    return tf.tidy(() => {
      let state = this.decoder.initialState(this.#memory(pairs));
      const found = new Int32Array(pairs.targets.length);
      let ids = new Int32Array(pairs.rows).fill(this.begin);
      for (let t = 0; t < pairs.symbols; t++) {
        const step = this.decoder.step(this.embedding.call(tf.tensor1d(ids, 'int32')), state);
        state = step.state;
        ids = tf.argMax(this.output.call(step.output), 1).dataSync().slice() as Int32Array<ArrayBuffer>;
        for (let row = 0; row < pairs.rows; row++) found[row * pairs.symbols + t] = ids[row]!;
      }
      return found;
    });
  }
}

/** Trains on fresh words until all of 300 are answered without a mistake, or the steps are used up; the share of 300 others. */
export function learnPairs(
  model: PairModel,
  draw: (rng: Rng, rows: number) => Pairs,
  { steps, learningRate, seed = 1 }: { steps: number; learningRate: number; seed?: number },
): { readonly exact: number; readonly steps: number } {
  const rng = new Rng(seed);
  const optimizer = new Optimizer(chain(clipByGlobalNorm(1), adam({ learningRate })), parameters(model));
  const [training, validation] = [rng.split('training'), draw(rng.split('validation'), 300)];
  let step = 0;
  while (step < steps) {
    const batch = draw(training, 64);
    const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({ loss: model.loss(batch) }));
    optimizer.apply(gradients);
    tf.dispose([value, ...gradients.values()]);
    if (++step % 50 === 0 && exactMatches(model, validation) === 1) break;
  }
  optimizer.dispose();
  return { exact: exactMatches(model, draw(rng.split('test'), 300)), steps: step };
}

/** Share of the rows that are answered without a mistake. */
function exactMatches(model: PairModel, pairs: Pairs): number {
  const found = model.answer(pairs);
  const rows = Array.from({ length: pairs.rows }, (_, row) => row * pairs.symbols);
  const right = rows.filter(at =>
    pairs.targets.slice(at, at + pairs.symbols).every((symbol, i) => symbol === found[at + i]),
  );
  return right.length / pairs.rows;
}
