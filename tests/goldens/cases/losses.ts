import {
  bceWithLogits,
  crossEntropy,
  huber,
  klDivergence,
  mae,
  mse,
  type Reduction,
  sequenceCrossEntropy,
  smoothL1,
  softCrossEntropy,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, type Comparison, type Golden, numbers, tensor } from '../golden.ts';

type Tensors = Record<string, tf.Tensor>;

/** The losses of a case from its inputs, by the name of the output. */
function lossesOf(golden: Golden): ((inputs: Tensors) => Tensors) | undefined {
  const name = golden.name.split('/').at(-1)!;
  const config = golden.config as unknown as Record<string, number> & { reduction?: Reduction };
  const { reduction = 'mean' } = config;
  const regression = ({ prediction, target }: Tensors): { prediction: tf.Tensor; target: tf.Tensor } => ({
    prediction: prediction!,
    target: target!,
  });
  if (name === 'cross_entropy_soft_targets') {
    return ({ logits, target }) => ({ loss: softCrossEntropy({ logits: logits!, targets: target! }, { reduction }) });
  }
  if (name.startsWith('cross_entropy')) {
    const options = { labelSmoothing: config['label_smoothing'], ignoreIndex: config['ignore_index'], reduction };
    return ({ logits, target, class_weight }) => ({
      loss: crossEntropy({ logits: logits!, labels: target!, classWeights: class_weight }, options),
    });
  }
  if (name === 'sequence_cross_entropy_lengths') {
    return ({ logits, target, lengths }) => {
      const inputs = { logits: logits!, labels: target!, lengths: lengths! };
      return {
        mean_per_token: sequenceCrossEntropy(inputs),
        sum_per_sequence: sequenceCrossEntropy(inputs, { reduction: 'perSequence' }),
        mean_of_sequence_means: sequenceCrossEntropy(inputs, { reduction: 'sequences' }),
      };
    };
  }
  if (name.startsWith('bce')) {
    return ({ logits, target, pos_weight }) => ({
      loss: bceWithLogits({ logits: logits!, targets: target!, posWeight: pos_weight }, { reduction }),
    });
  }
  if (name === 'kl_div_batchmean') {
    return ({ logits, target }) => ({ loss: klDivergence({ logits: logits!, targets: target! }) });
  }
  if (name.startsWith('huber')) return inputs => ({ loss: huber(regression(inputs), { delta: config['delta']! }) });
  if (name.startsWith('smooth_l1'))
    return inputs => ({ loss: smoothL1(regression(inputs), { beta: config['beta']! }) });
  if (name.startsWith('mse')) return inputs => ({ loss: mse(regression(inputs), { reduction }) });
  if (name === 'mae') return inputs => ({ loss: mae(regression(inputs)) });
  return undefined;
}

/** Cases of the folder `losses`: values, and gradients of the inputs that the file has gradients of. */
export function runLossesCase(golden: Golden): CaseResult {
  const losses = lossesOf(golden);
  if (!losses) return { skipped: golden.name.endsWith('ctc') ? 'CTC loss' : golden.name };
  tf.engine().startScope();
  try {
    const inputs = Object.fromEntries(Object.entries(golden.inputs).map(([name, source]) => [name, tensor(source)]));
    const differences: Comparison[] = Object.entries(losses(inputs)).map(([name, loss]) => ({
      name,
      got: loss.dataSync(),
      want: numbers(golden.outputs[name]!),
    }));
    for (const [name, want] of Object.entries(golden.gradients.inputs!)) {
      const gradient = tf.grad(x => {
        const outputs = losses({ ...inputs, [name]: x });
        const terms = Object.entries(golden.cotangents).map(([output, cotangent]) =>
          tf.sum(tf.mul(outputs[output]!, tensor(cotangent))),
        );
        return tf.addN(terms);
      })(inputs[name]!);
      differences.push({ name: `d ${name}`, got: gradient.dataSync(), want: numbers(want) });
    }
    return { differences };
  } finally {
    tf.engine().endScope();
  }
}
