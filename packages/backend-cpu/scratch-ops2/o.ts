import * as tf from '@tensorflow/tfjs-core';
import '../src/index.ts';

const only = process.argv[2];
const cases: Record<string, (x: tf.Tensor, y: tf.Tensor) => tf.Tensor> = {
  add: (x, y) => tf.add(x, y),
  tanh: x => tf.tanh(x),
  reshape: x => tf.reshape(x, [5, 2]),
  sum: x => tf.sum(x),
  square: x => tf.square(x),
};
for (const b of only ? only.split(',') : ['ostinato-cpu', 'cpu']) {
  await tf.setBackend(b);
  const x = tf.ones([10]),
    y = tf.ones([10]);
  const line = [b];
  for (const [n, f] of Object.entries(cases)) {
    const N = 20000;
    let best = 1e9;
    for (let r = 0; r < 20; r++) {
      const t = performance.now();
      for (let i = 0; i < N; i++) f(x, y).dispose();
      best = Math.min(best, ((performance.now() - t) / N) * 1000);
    }
    line.push(`${n} ${best.toFixed(2)}`);
  }
  console.log(line.join('  '));
}
process.exit(0);
