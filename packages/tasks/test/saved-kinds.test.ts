// A file says which kind of model it is, and all other kinds refuse it: files of models, and checkpoints by the description in them.
import { FormatError, type Module, parameters, Rng } from '@ostinato/core';
import { decodeCaptioner } from '@ostinato/tasks/captioning';
import { decodeForecaster, describeForecaster, encodeForecaster, Forecaster } from '@ostinato/tasks/forecasting';
import {
  decodeLanguageModel,
  describeLanguageModel,
  encodeLanguageModel,
  LanguageModel,
} from '@ostinato/tasks/language-modeling';
import {
  decodeTextClassifier,
  describeTextClassifier,
  encodeTextClassifier,
  TextClassifier,
} from '@ostinato/tasks/sentiment';
import { decodeSequenceTagger } from '@ostinato/tasks/tagging';
import { decodeTranslator } from '@ostinato/tasks/translation';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import { captureCheckpoint, encodeCheckpoint, type Json, Optimizer, sgd } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';

type Decode = (bytes: Uint8Array) => { readonly model: { dispose(): void } };
const decoders: Readonly<Record<string, Decode>> = {
  'a language model': decodeLanguageModel,
  'a forecaster': decodeForecaster,
  'a classifier': decodeTextClassifier,
  'a tagger': decodeSequenceTagger,
  'a translator': decodeTranslator,
  'a captioner': decodeCaptioner,
};

const tokenizer = CharacterTokenizer.train('abc');
const rng = new Rng(1);

async function checkpointOf(model: Module, description: object): Promise<Uint8Array> {
  const optimizer = new Optimizer(sgd({ learningRate: 0.1 }), parameters(model));
  const bytes = encodeCheckpoint(await captureCheckpoint({ step: 0, optimizer, config: description as Json }));
  optimizer.dispose();
  return bytes;
}

const kinds: Readonly<Record<string, () => Promise<{ model: Module; files: Uint8Array[] }>>> = {
  'a language model': async () => {
    const model = new LanguageModel({ vocabularySize: tokenizer.vocabularySize, embeddingSize: 2, hiddenSize: 2, rng });
    const description = describeLanguageModel({ model, tokenizer });
    return { model, files: [await encodeLanguageModel({ model, tokenizer }), await checkpointOf(model, description)] };
  },
  'a forecaster': async () => {
    const statistics = { center: [0], scale: [1] };
    const model = new Forecaster({
      features: 1,
      inputLength: 2,
      horizon: 1,
      hiddenSize: 2,
      numHeads: 1,
      statistics,
      rng,
    });
    const names = ['a'];
    const description = describeForecaster({ model, names });
    return { model, files: [await encodeForecaster({ model, names }), await checkpointOf(model, description)] };
  },
  'a classifier': async () => {
    const { vocabularySize } = tokenizer;
    const model = new TextClassifier({ vocabularySize, embeddingSize: 2, hiddenSize: 2, labels: ['no', 'yes'], rng });
    const description = describeTextClassifier({ model, tokenizer });
    return { model, files: [await encodeTextClassifier({ model, tokenizer }), await checkpointOf(model, description)] };
  },
};

it.each(Object.keys(kinds))('%s is read as what it is, and by no other', async kind => {
  const { model, files } = await kinds[kind]!();
  const before = tf.memory().numTensors;
  for (const bytes of files) {
    for (const [name, decode] of Object.entries(decoders)) {
      if (name === kind) decode(bytes).model.dispose();
      else expect(() => decode(bytes), name).toThrow(FormatError);
    }
  }
  expect(tf.memory().numTensors).toBe(before);
  model.dispose();
});
