/**
 * Measures this backend on this machine: matrix products, and one training step of a character LSTM (vocabulary 83,
 * embedding 256, hidden 1024, 100 steps; embedding → LSTM → logits → cross-entropy → gradients → clip by global norm → Adam).
 * Prints the fastest of several runs: `tsx --conditions=@ostinato/source scripts/measure.ts`, with `profile` for the time
 * of each kernel.
 */

import * as tf from '@tensorflow/tfjs-core';
import { kernelInfo } from '../src/index.ts';

type Grads = Record<string, tf.Tensor>;

function kernel(name: string, inputs: Record<string, tf.Tensor>, attributes: object = {}): tf.Tensor[] {
  return [tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap)].flat() as tf.Tensor[];
}

const gradients = (names: string[], values: tf.Tensor[]) =>
  Object.fromEntries(names.map((name, index) => [name, () => values[index]!]));

const none = tf.keep(tf.tensor1d([]));
const lstmInputs = ['input', 'inputWeight', 'recurrentWeight', 'bias', 'initialHidden', 'initialCell', 'projection'];

tf.registerGradient({
  kernelName: 'OstinatoLstm',
  inputsToSave: [...lstmInputs, 'lengths'],
  outputsToSave: [true, false, false, true],
  gradFunc: (dy, saved, attributes) => {
    const [dOutput, dHidden, dCell] = dy as unknown as tf.Tensor[];
    const [output, reserve] = saved.slice(8) as tf.Tensor[];
    const inputs = Object.fromEntries([...lstmInputs, 'lengths'].map((name, index) => [name, saved[index]!]));
    const all = { ...inputs, output: output!, reserve: reserve!, dOutput: dOutput!, dHidden: dHidden!, dCell: dCell! };
    return { ...gradients(lstmInputs, kernel('OstinatoLstmGrad', all, attributes)), lengths: () => none };
  },
});
tf.registerGradient({
  kernelName: 'OstinatoSoftmaxCrossEntropy',
  inputsToSave: ['logits', 'labels', 'classWeights'],
  outputsToSave: [false, true],
  gradFunc: (dy, [logits, labels, classWeights, logSumExp], attributes) => {
    const inputs = { logits, labels, classWeights, logSumExp, dLosses: (dy as unknown as tf.Tensor[])[0] } as Grads;
    const [dLogits] = kernel('OstinatoSoftmaxCrossEntropyGrad', inputs, attributes);
    return { logits: () => dLogits!, labels: () => none, classWeights: () => none };
  },
});
tf.registerGradient({
  kernelName: 'OstinatoEmbedding',
  inputsToSave: ['table', 'ids'],
  gradFunc: (dy, [table, ids]) => {
    const attributes = { vocabularySize: table!.shape[0]!, paddingIndex: null };
    const [dTable] = kernel('OstinatoEmbeddingGrad', { ids: ids!, dOutput: dy as tf.Tensor }, attributes);
    return { table: () => dTable!, ids: () => none };
  },
});

function fastest(runs: number, body: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    body();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function measureProducts(): void {
  const shapes = [
    [512, 512, 512],
    [1024, 1024, 1024],
    [32, 1024, 4096],
    [4, 1024, 4096],
    [1, 1024, 4096],
    [1024, 1024, 1],
  ] as const;
  for (const [m, k, n] of shapes) {
    const speeds = [
      [false, false],
      [false, true],
      [true, false],
    ].map(([transposeA, transposeB]) => {
      const a = tf.randomNormal(transposeA ? [k, m] : [m, k]) as tf.Tensor2D;
      const b = tf.randomNormal(transposeB ? [n, k] : [k, n]) as tf.Tensor2D;
      const time = fastest(20, () => tf.matMul(a, b, transposeA!, transposeB!).dispose());
      tf.dispose([a, b]);
      return `${['nn', 'nt', 'tn'][Number(transposeB) + 2 * Number(transposeA)]} ${((2 * m * k * n) / time / 1e6).toFixed(1)}`;
    });
    console.log(`matMul ${m}×${k}×${n}, GFLOP/s: ${speeds.join(', ')}`);
  }
}

const [vocabulary, width, hidden, time] = [83, 256, 1024, 100];

function trainingStep(batch: number): () => number {
  // Seeded: the loss after the same steps is the same on every build of the kernels, up to rounding.
  let seed = 0;
  const normal = (shape: number[], scale: number) => tf.variable(tf.randomNormal(shape, 0, scale, 'float32', ++seed));
  const parameters = {
    table: normal([vocabulary, width], 0.1),
    inputWeight: normal([width, 4 * hidden], 0.05),
    recurrentWeight: normal([hidden, 4 * hidden], 0.03),
    bias: normal([4 * hidden], 0),
    weight: normal([hidden, vocabulary], 0.03),
    offset: normal([vocabulary], 0),
  };
  const list = Object.values(parameters);
  const moments = list.map(({ shape }) => [tf.variable(tf.zeros(shape)), tf.variable(tf.zeros(shape))] as const);
  const ids = tf.randomUniformInt([batch * time], 0, vocabulary, ++seed);
  const labels = tf.randomUniformInt([batch * time], 0, vocabulary, ++seed);
  const zeros = tf.zeros([batch, hidden]);
  const { table, inputWeight, recurrentWeight, bias, weight, offset } = parameters;
  let step = 0;
  const loss = (): tf.Scalar => {
    const x = tf.reshape(kernel('OstinatoEmbedding', { table, ids }, { paddingIndex: null })[0]!, [batch, time, width]);
    const state = { initialHidden: zeros, initialCell: zeros, projection: none, lengths: none };
    const weights = { inputWeight, recurrentWeight, bias };
    const [output] = kernel('OstinatoLstm', { input: x, ...weights, ...state }, { reverse: false });
    const logits = tf.add(tf.matMul(tf.reshape(output!, [batch * time, hidden]), weight as tf.Tensor2D), offset);
    const attributes = { labelSmoothing: 0, ignoreIndex: null };
    return tf.mean(kernel('OstinatoSoftmaxCrossEntropy', { logits, labels, classWeights: none }, attributes)[0]!);
  };
  return () =>
    tf.tidy(() => {
      step++;
      const { value, grads } = tf.variableGrads(loss, list);
      const given = list.map(parameter => grads[parameter.name]!);
      const norm = tf.sqrt(tf.addN(given.map(gradient => tf.sum(tf.square(gradient)))));
      const scale = Math.min(1, 5 / norm.dataSync()[0]!);
      const rates = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
      const corrections = { firstCorrection: 1 - 0.9 ** step, secondCorrection: 1 - 0.999 ** step };
      for (const [index, parameter] of list.entries()) {
        const [firstMoment, secondMoment] = moments[index]!;
        const inputs = { gradient: tf.mul(given[index]!, scale), firstMoment, secondMoment, parameter: none };
        const [update, first, second] = kernel('OstinatoAdam', inputs, { ...rates, ...corrections });
        parameter.assign(tf.add(parameter, update!));
        firstMoment.assign(first!);
        secondMoment.assign(second!);
      }
      return value.dataSync()[0]!;
    });
}

/** Milliseconds of each kernel in one step. */
function profile(step: () => number): void {
  const times = new Map<string, { calls: number; total: number }>();
  for (const config of tf.getKernelsForBackend('ostinato-cpu')) {
    const { kernelFunc, kernelName } = config;
    tf.unregisterKernel(kernelName, 'ostinato-cpu');
    const timed: typeof kernelFunc = params => {
      const start = performance.now();
      const result = kernelFunc(params);
      const entry = times.get(kernelName) ?? { calls: 0, total: 0 };
      times.set(kernelName, { calls: entry.calls + 1, total: entry.total + performance.now() - start });
      return result;
    };
    tf.registerKernel({ ...config, kernelFunc: timed });
  }
  step();
  times.clear();
  const start = performance.now();
  step();
  const total = performance.now() - start;
  const rows = [...times].sort(([, a], [, b]) => b.total - a.total);
  for (const [name, entry] of rows)
    console.log(`  ${name.padEnd(36)} ${entry.total.toFixed(2)} ms in ${entry.calls} calls`);
  const inside = rows.reduce((sum, [, entry]) => sum + entry.total, 0);
  console.log(`  (outside kernels) ${(total - inside).toFixed(2)} ms of ${total.toFixed(1)}`);
}

await tf.setBackend('ostinato-cpu');
console.log(`Node ${process.version}, ${kernelInfo().level}`);
const profiling = process.argv.includes('profile');
if (!profiling) measureProducts();
for (const batch of [4, 32]) {
  const step = trainingStep(batch);
  console.log(`training step, batch ${batch}`);
  if (profiling) {
    profile(step);
    continue;
  }
  const time = fastest(batch === 4 ? 6 : 4, step);
  const { numTensors } = tf.memory();
  console.log(`  ${time.toFixed(0)} ms, loss ${step().toFixed(4)}, tensors ${numTensors} → ${tf.memory().numTensors}`);
}
