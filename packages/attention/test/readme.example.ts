import { GPT } from '@ostinato/attention';
import { disposeState, parameters, Rng } from '@ostinato/core';
import { softmaxCrossEntropy } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs';
import '@ostinato/backend-cpu';

await tf.setBackend('ostinato-cpu');

const text = 'pack my box with five dozen liquor jugs. ';
const letters = [...new Set(text)];
const ids = Array.from(text.repeat(2), letter => letters.indexOf(letter));

const rng = new Rng(1);
const gpt = new GPT({ vocabularySize: letters.length, maximumTime: 48, numLayers: 2, numHeads: 4, size: 32, rng });
const variables = [...parameters(gpt).values()];
const optimizer = tf.train.adam(5e-3);

// Windows of 32 letters; at every one the next is asked for.
for (let step = 1; step <= 150; step++) {
  const starts = Array.from({ length: 8 }, () => rng.integer(text.length));
  const window = (from: number): tf.Tensor2D =>
    tf.tensor2d(
      starts.map(start => ids.slice(start + from, start + from + 32)),
      [8, 32],
      'int32',
    );
  const loss = () => softmaxCrossEntropy({ logits: gpt.call(window(0)), labels: window(1) }) as tf.Scalar;
  optimizer.minimize(loss, false, variables);
}

// Greedy: the prompt is read at once, then letter by letter, with the keys and values of all before in the state.
let state = gpt.initialState(1);
let next: tf.Tensor = tf.tensor2d([ids.slice(0, 4)], [1, 4], 'int32');
export let written = 'pack';
while (written.length < text.length) {
  const result = gpt.step(next, state);
  disposeState(state);
  state = result.state;
  next = tf.argMax(result.logits, 1);
  written += letters[next.dataSync()[0]!];
}
// pack my box with five dozen liquor jugs.
