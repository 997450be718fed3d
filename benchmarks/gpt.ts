import { kernelInfo } from '@ostinato/backend-cpu';
import { disposeState, type Module, parameters, Rng, valueAndGrad } from '@ostinato/core';
import { softmaxCrossEntropy } from '@ostinato/ops';
import { countKernels } from '@ostinato/testing';
import { adamw, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { randomTokens } from './character-model.ts';
import { besidePytorch, pytorch } from './peers/pytorch.ts';
import { type Benchmark, type Figures, fastestWithin } from './report.ts';
import { gptSizes, smallGpt, TranslationModel, translationSizes } from './transformer-models.ts';

/** Milliseconds of one training step (forward, backward, AdamW, loss read back), and how many kernels it launches. */
async function trainingStep(model: Module, loss: () => tf.Tensor, budget: number) {
  const optimizer = new Optimizer(adamw({ learningRate: 1e-3 }), parameters(model));
  const step = (): void => {
    const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({ loss: loss() }));
    optimizer.apply(gradients);
    value.dataSync();
    tf.dispose([value, ...gradients.values()]);
  };
  const milliseconds = await fastestWithin(budget, step);
  const { total, names } = await countKernels(step);
  optimizer.dispose();
  return { milliseconds, launches: total, names };
}

/** Greedy tokens per second of the small GPT, one row, from an empty cache to a full one, again and again. */
async function generation(tokens: number): Promise<{ tokensPerSecond: number; launches: number }> {
  const model = smallGpt(new Rng(1));
  const block = (): void => {
    let state = model.initialState(1);
    let ids: tf.Tensor = tf.zeros([1], 'int32');
    for (let time = 0; time < gptSizes.block; time++) {
      const { logits, state: next } = model.step(ids, state);
      disposeState(state);
      state = next;
      ids.dispose();
      ids = tf.argMax(logits, 1);
      ids.dataSync();
      logits.dispose();
    }
    ids.dispose();
    disposeState(state);
  };
  const blocks = Math.ceil(tokens / gptSizes.block);
  const milliseconds = await fastestWithin(3000, () => {
    for (let i = 0; i < blocks; i++) block();
  });
  const state = model.initialState(1);
  const { total } = await countKernels(() => model.step(tf.zeros([1], 'int32'), state));
  disposeState(state);
  model.dispose();
  return { tokensPerSecond: (1000 * blocks * gptSizes.block) / milliseconds, launches: total };
}

/**
 * One training step of nanoGPT's CPU configuration and of a translation transformer, and greedy generation of the former with a cache:
 * ours against PyTorch.
 */
export const gpt: Benchmark = async (report, { quick }) => {
  await tf.setBackend('ostinato-cpu');
  const info = kernelInfo();
  const figures: Figures = { kernels: info as unknown as Record<string, unknown> };
  const budget = quick ? 1000 : 8000;
  const rounds = quick ? 1 : 3;
  const compare = async (
    name: string,
    ours: () => Promise<{ milliseconds: number; launches: number }>,
    sizes: object,
  ): Promise<void> => {
    let launches = 0;
    const beside = await besidePytorch(
      rounds,
      async () => {
        const step = await ours();
        launches = step.launches;
        return [step.milliseconds];
      },
      () => pytorch(name, info.threads, [sizes]),
    );
    const [milliseconds, theirs] = [beside.ours[0]!, beside.theirs?.[0] ?? null];
    report(`${name}: ${milliseconds.toFixed(1)} ms, ${launches} kernel launches; ${beside.words[0]}`);
    Object.assign(figures, {
      [`${name}Milliseconds`]: milliseconds,
      [`${name}KernelLaunches`]: launches,
      [`${name}PytorchMilliseconds`]: theirs,
      [`${name}OfPytorchTime`]: theirs === null ? null : milliseconds / theirs,
    });
  };

  const batch = 12;
  const rng = new Rng(1);
  const small = smallGpt(rng);
  const tokens = (): tf.Tensor => randomTokens(rng, [batch, gptSizes.block], gptSizes.vocabulary);
  const [inputs, targets] = [tokens(), tokens()];
  const loss = (): tf.Tensor => softmaxCrossEntropy({ logits: small.call(inputs), labels: targets });
  await compare('gpt', () => trainingStep(small, loss, budget), { ...gptSizes, batch });
  small.dispose();

  const [pairs, time] = [32, 20];
  const translator = new TranslationModel(rng);
  const words = (): tf.Tensor => randomTokens(rng, [pairs, time], translationSizes.vocabulary);
  const [source, target, labels] = [words(), words(), words()];
  const translatorLoss = (): tf.Tensor => translator.loss(source, target, labels);
  await compare('translation', () => trainingStep(translator, translatorLoss, budget), {
    ...translationSizes,
    batch: pairs,
    time,
  });
  translator.dispose();
  tf.dispose([inputs, targets, source, target, labels]);

  const generated = gptSizes.block * (quick ? 1 : 8);
  let launches = 0;
  const beside = await besidePytorch(
    rounds,
    async () => {
      const own = await generation(generated);
      launches = own.launches;
      return [(1000 * generated) / own.tokensPerSecond];
    },
    () => pytorch('gpt_generate', info.threads, [{ ...gptSizes, tokens: generated }]),
  );
  const tokensPerSecond = (1000 * generated) / beside.ours[0]!;
  const theirs = beside.theirs && (1000 * generated) / beside.theirs[0]!;
  const against =
    theirs === null
      ? beside.words[0]!
      : `PyTorch ${theirs.toFixed(0)}, ours is ${(tokensPerSecond / theirs).toFixed(2)} times that`;
  report(`generation: ${tokensPerSecond.toFixed(0)} tokens/s, ${launches} kernel launches a token; ${against}`);
  return {
    ...figures,
    ...{ tokensPerSecond, generationKernelLaunches: launches, pytorchTokensPerSecond: theirs },
    generationTimesPytorch: theirs === null ? null : tokensPerSecond / theirs,
  };
};
