import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import { generateText, LanguageModel } from '@ostinato/tasks/language-modeling';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { besidePytorch, pytorch } from './peers/pytorch.ts';
import { type Benchmark, type Figures, fastest } from './report.ts';

const sizes = { vocabulary: 83, embedding: 256, hidden: 1024 };

/** Greedy characters per second of the Lab 1 network (83/256/1024), one row, against PyTorch's LSTMCell. */
export const generate: Benchmark = async (report, { quick }) => {
  await tf.setBackend('ostinato-cpu');
  const info = kernelInfo();
  const alphabet = Array.from({ length: sizes.vocabulary }, (_, i) => String.fromCodePoint(0x20 + i)).join('');
  const tokenizer = CharacterTokenizer.train(alphabet);
  const model = new LanguageModel({
    vocabularySize: tokenizer.vocabularySize,
    embeddingSize: sizes.embedding,
    hiddenSize: sizes.hidden,
    rng: new Rng(1),
  });
  const characters = quick ? 50 : 500;
  const run = async (): Promise<void> => {
    for await (const _ of generateText({
      model,
      tokenizer,
      prompts: [' '],
      maximumTokens: characters,
      temperature: 0,
    }));
  };
  const beside = await besidePytorch(
    quick ? 1 : 5,
    async () => [await fastest(3, run)],
    () => pytorch('generate', info.threads, [{ ...sizes, characters }]),
  );
  const [ours, theirs] = [beside.ours, beside.theirs].map(times => (times ? (1000 * characters) / times[0]! : null));
  report(`ostinato-cpu: ${ours!.toFixed(0)} characters/s`);
  report(
    theirs === null
      ? beside.words[0]!
      : `PyTorch: ${theirs!.toFixed(0)} characters/s, ours is ${(ours! / theirs!).toFixed(2)} times that`,
  );
  model.dispose();
  const figures: Figures = { kernels: info as unknown as Record<string, unknown>, charactersPerSecond: ours! };
  return { ...figures, pytorchCharactersPerSecond: theirs!, timesPytorch: theirs === null ? null : ours! / theirs! };
};
