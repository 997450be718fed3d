import '/work/main/packages/backend-cpu/src/index.ts';
import * as tf from '@tensorflow/tfjs';
import { findBackend } from '@tensorflow/tfjs-core';
import { Rng, valueAndGrad, parameters, dropoutMask, dropout } from '/work/main/packages/core/src/index.ts';
import { crossEntropy, oneCycle, sequenceCrossEntropy } from '/work/main/packages/training/src/index.ts';
import { LSTM } from '/work/main/packages/recurrent/src/index.ts';
import { LanguageModel, evaluate } from '/work/main/packages/tasks/src/language-modeling/index.ts';
import { gelu } from '/work/main/packages/ops/src/index.ts';
const show = (name: string, f: () => unknown) => { try { console.log(name, f()); } catch (e) { console.log(name, 'THROWS', String((e as Error).message).slice(0, 200)); } };
for (const engine of ['ostinato-cpu', 'cpu']) {
  await tf.setBackend(engine);
  console.log('==', engine);
  show('CE partial NaN', () => crossEntropy({ logits: tf.tensor2d([[NaN, 0, 1], [0, NaN, 1], [0, 1, NaN]]), labels: tf.tensor1d([1, 0, 0], 'int32') }, { reduction: 'none' }).dataSync());
  show('CE partial NaN V=8', () => crossEntropy({ logits: tf.tensor2d([[0, 1, 2, NaN, 0, 0, 0, 0], [NaN, 1, 2, 3, 0, 0, 0, 0]]), labels: tf.tensor1d([1, 2], 'int32') }, { reduction: 'none' }).dataSync());
  show('CE +inf', () => crossEntropy({ logits: tf.tensor2d([[Infinity, 0, 1], [0, Infinity, 1]]), labels: tf.tensor1d([1, 1], 'int32') }, { reduction: 'none' }).dataSync());
  show('CE empty', () => crossEntropy({ logits: tf.zeros([0, 3]), labels: tf.tensor1d([], 'int32') }).dataSync());
  show('CE empty ignore', () => crossEntropy({ logits: tf.zeros([0, 3]), labels: tf.tensor1d([], 'int32') }, { ignoreIndex: -1 }).dataSync());
  show('gelu extremes', () => [gelu(tf.tensor1d([-Infinity, Infinity, -1e20, 1e20, NaN])).dataSync(), gelu(tf.tensor1d([-Infinity, Infinity, -1e20, 1e20, NaN]), { approximate: 'tanh' }).dataSync()].join(' | '));
  show('tanh/sigmoid/exp/softmax nan', () => [tf.tanh(tf.tensor1d([NaN, -Infinity, Infinity])), tf.sigmoid(tf.tensor1d([NaN, -Infinity, Infinity])), tf.exp(tf.tensor1d([NaN, -Infinity, Infinity])), tf.softmax(tf.tensor1d([NaN, 0, 1])), tf.softmax(tf.tensor1d([-Infinity, 0, 1]))].map(t => [...t.dataSync()].join(' ')).join(' | '));
  // padding NaN
  for (const layerNorm of [false, true]) {
    const lstm = new LSTM({ inputSize: 2, hiddenSize: 3, layerNorm });
    const input = tf.tensor3d([[[1, 2], [NaN, NaN]], [[1, 2], [3, 4]]]);
    show(`pad NaN layerNorm=${layerNorm}`, () => {
      const { value, gradients } = valueAndGrad(parameters(lstm), () => ({ loss: tf.sum(lstm.call(input, { lengths: [1, 2] }).output) as tf.Scalar }));
      return [value.dataSync()[0], [...gradients.values()].map(g => Number.isFinite(g.sum().dataSync()[0]!)).join()];
    });
  }
  const m = new LanguageModel({ vocabularySize: 65, embeddingSize: 128, hiddenSize: 128, tied: true });
  const ids = Int32Array.from({ length: 300 }, (_, i) => (i * 7919) % 65);
  console.log('tied initial nats', (await evaluate(m, ids)).nats, 'ln V', Math.log(65));
  const m2 = new LanguageModel({ vocabularySize: 65, embeddingSize: 128, hiddenSize: 128 });
  console.log('untied initial nats', (await evaluate(m2, ids)).nats);
  m2.output.bias!.assign(tf.fill([65], NaN) as never);
  await evaluate(m2, ids).then(console.log, e => console.log('NaN model:', e.message));
}
show('oneCycle', () => oneCycle({ peak: 1, steps: 10, riseFraction: 0.1 })(0));
show('oneCycle3', () => [0,1,2,3].map(oneCycle({ peak: 1, steps: 10, riseFraction: 0.1, threePhases: true })));
await tf.setBackend('ostinato-cpu');
const backend = findBackend('ostinato-cpu') as unknown as { kernels: Record<string, (...a: number[]) => number> };
console.log('work 2.6GB', backend.kernels['lstm_backward_work']!(0, 128, 1000, 10, 1024, 1024, 0), 128*1000*5*1024);
// dropout threshold
let differing = 0;
const n = 1 << 22;
for (let k = 0; k < 6; k++) {
  const key = new Rng(k).key;
  const mask = dropoutMask(n, { rate: 0.7, key });
  const got = dropout(tf.ones([n]), { rate: 0.7, key }).dataSync();
  for (let i = 0; i < n; i++) if ((mask[i] === 0) !== (got[i] === 0)) differing++;
}
console.log('dropout differing of', 6 * n, differing, 'scales', Math.max(...dropoutMask(100, {rate:.7,key:[1,2]})), Math.max(...dropout(tf.ones([100]), {rate:.7,key:[1,2]}).dataSync()));
