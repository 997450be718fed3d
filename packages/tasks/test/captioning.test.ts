import '@ostinato/backend-cpu';
import { ArgumentError, disposeState, FormatError, parameters, Rng, valueAndGrad } from '@ostinato/core';
import {
  type CaptionedPicture,
  Captioner,
  type CaptionerConfig,
  caption,
  decodeCaptioner,
  describeCaptioner,
  encodeCaptioner,
  evaluate,
  mostFrequentCaption,
  nearestNeighbourCaptions,
  pictureValues,
  scoreCaptions,
  type TrainCaptionerOptions,
  trainCaptioner,
  trainCaptionTokenizer,
} from '@ostinato/tasks/captioning';
import { allClose, expectNoLeak } from '@ostinato/testing';
import { type Checkpoint, crossEntropy, decodeCheckpoint, encodeCheckpoint, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';

// On the engine that these tasks are for: the stock backend takes three times as long.
beforeAll(() => tf.setBackend('ostinato-cpu'));

const side = 8;
const colours = { red: [220, 40, 40], green: [40, 200, 60], blue: [40, 60, 220] } as const;
const places = { top: [0, 4], bottom: [4, 8] } as const;

/** A picture of one half that has a colour. */
function half(colour: keyof typeof colours, place: keyof typeof places, noise: Rng): CaptionedPicture {
  const data = new Uint8Array(3 * side * side).fill(255);
  const [from, to] = places[place];
  for (let pixel = from * side; pixel < to * side; pixel++) {
    for (let c = 0; c < 3; c++) data[3 * pixel + c] = colours[colour][c]! + Math.floor(20 * noise.next());
  }
  return {
    values: pictureValues({ width: side, height: side, data }, side),
    captions: [`A ${colour} bar at the ${place}.`],
  };
}

const noise = new Rng(4);
const all = (Object.keys(colours) as (keyof typeof colours)[]).flatMap(colour =>
  (Object.keys(places) as (keyof typeof places)[]).map(place => [colour, place] as const),
);
const examples = Array.from({ length: 4 }, () => all.map(([colour, place]) => half(colour, place, noise))).flat();
const held = all.map(([colour, place]) => half(colour, place, noise));
const tokenizer = trainCaptionTokenizer(examples.flatMap(({ captions }) => captions));
const { vocabularySize } = tokenizer;
const small = { side, channels: [8, 16], patchSize: 4, encoderLayers: 1, size: 16, numHeads: 2, decoderLayers: 1 };
const build = (options: Partial<CaptionerConfig> = {}): Captioner =>
  new Captioner({ vocabularySize, ...small, dropout: 0, ...options, rng: new Rng(2) });
async function run(options: Partial<TrainCaptionerOptions> & { model: Captioner; steps: number }): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  const defaults = { tokenizer, examples, batchSize: 12, learningRate: 1e-2, shift: 0, labelSmoothing: 0.05 };
  for await (const event of trainCaptioner({ ...defaults, ...options })) events.push(event);
  return events;
}
const weights = (model: Captioner): number[][] => [...parameters(model).values()].map(value => [...value.dataSync()]);

const kinds: [string, Partial<CaptionerConfig>, number][] = [
  ['convolutions and a transformer', {}, 160],
  ['patches and a transformer', { encoder: 'patches' }, 240],
  ['convolutions and a GRU with attention', { decoder: 'recurrent' }, 160],
];

describe.each(kinds)('a captioner of %s', (_, config, steps) => {
  it('gives the logits of a known caption step by step as all at once', () => {
    const model = build(config);
    const target = tf.tensor2d([1, 4, 5, 6, 2, 7, 4, 3], [2, 4], 'int32');
    const pictures = tf.tensor4d(
      held.slice(0, 2).flatMap(({ values }) => [...values]),
      [2, side, side, 3],
    );
    expectNoLeak(() => {
      tf.tidy(() => {
        const whole = model.call({ pictures, target }); // [2, 4, V]
        let state = model.initialState(pictures, { maximumTime: 4 });
        for (let t = 0; t < 4; t++) {
          const { logits, state: next } = model.step(tf.squeeze(tf.slice(target, [0, t], [2, 1]), [1]), state);
          const expected = tf.squeeze(tf.slice(whole, [0, t, 0], [2, 1, -1]), [1]);
          expect(allClose(logits, expected, 1e-5)).toMatchObject({ close: true });
          state = next;
        }
      });
      disposeState(model.initialState(pictures, { maximumTime: 4 }));
    });
    tf.dispose([target, pictures]);
    model.dispose();
  });

  it('has gradients', () => {
    const model = build({ ...config, size: 4, channels: [3, 4] });
    const target = tf.tensor2d([1, 4, 5], [1, 3], 'int32');
    const labels = tf.tensor2d([4, 5, -1], [1, 3], 'int32');
    const pictures = tf.tensor4d([...held[0]!.values], [1, side, side, 3]);
    const loss = (): tf.Tensor =>
      crossEntropy({ logits: model.call({ pictures, target }), labels }, { ignoreIndex: -1 });
    const { value, gradients } = valueAndGrad(parameters(model), () => ({ loss: loss() }));
    for (const [path, gradient] of gradients) expect(gradient.shape, path).toEqual(parameters(model).get(path)!.shape);
    expect(Number.isFinite(value.dataSync()[0])).toBe(true);
    tf.dispose([value, ...gradients.values(), target, labels, pictures]);
    model.dispose();
  });

  it('learns what pictures show, says where it looked, and comes back from a file', { timeout: 60_000 }, async () => {
    const model = build(config);
    const events = await run({
      model,
      steps,
      validation: held,
      validateEvery: steps,
      averageDecay: 0.9,
      learningRate: 4e-3,
    });
    expect(events.findLast(({ event }) => event === 'validation')).toMatchObject({
      metrics: { validationLoss: expect.any(Number), bleu: expect.any(Number), chrf: expect.any(Number) },
    });
    const evaluation = await evaluate({ model, tokenizer, examples: held });
    expect(evaluation.captions.map(({ text }) => text)).toEqual(held.map(one => one.captions[0]!.toLowerCase()));
    expect(evaluation.bleu.score).toBeCloseTo(100, 3);
    const before = tf.memory().numTensors;
    const pictures = held.map(({ values }) => values);
    const [first] = await caption({ model, tokenizer, pictures: pictures.slice(0, 1), attention: true, count: 2 });
    expect(first!.alternatives).toHaveLength(2);
    const { tokens, weights: looked, grid } = first!.attention!;
    expect(tokens).toEqual(['a', 'red', 'bar', 'at', 'the', 'top', '.', '</s>']);
    expect(grid).toEqual([2, 2]);
    expect(looked).toHaveLength(tokens.length);
    for (const row of looked) expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
    const alone = await Promise.all(
      pictures.map(async one => (await caption({ model, tokenizer, pictures: [one] }))[0]!.text),
    );
    expect(alone).toEqual(evaluation.captions.map(({ text }) => text));
    expect(tf.memory().numTensors).toBe(before);
    const loaded = decodeCaptioner(await encodeCaptioner({ model, tokenizer }));
    expect(weights(loaded.model)).toEqual(weights(model));
    loaded.model.dispose();
    model.dispose();
  });
});

describe('captioning', () => {
  it('goes on to the bit from a checkpoint, pictures moved and mirrored', async () => {
    const options = { steps: 6, shift: 2, mirror: true, validation: held, validateEvery: 2 };
    const whole = build({ dropout: 0.2 });
    const saved: Uint8Array[] = [];
    const save = (checkpoint: Checkpoint): void => void saved.push(encodeCheckpoint(checkpoint));
    const description = describeCaptioner({ model: whole, tokenizer });
    await run({ ...options, model: whole, description, checkpoint: { every: 3, save } });
    const resumed = build({ dropout: 0.2 });
    await run({ ...options, model: resumed, resume: decodeCheckpoint(saved[0]!) });
    expect(weights(resumed)).toEqual(weights(whole));
    const loaded = decodeCaptioner(saved[0]!);
    expect(loaded.model.config).toEqual(whole.config);
    for (const model of [whole, resumed, loaded.model]) model.dispose();
  });

  it('reads given features', async () => {
    const model = build({ encoder: 'features', featureSize: 3, positions: 2 });
    const values = (i: number): Float32Array => Float32Array.from({ length: 6 }, (_, k) => (k % 3 === i ? 1 : 0));
    const features = ['one', 'two', 'three'].map((text, i) => ({ values: values(i), captions: [text] }));
    const own = trainCaptionTokenizer(['one', 'two', 'three']);
    const reading = new Captioner({ ...model.config, vocabularySize: own.vocabularySize, rng: new Rng(1) });
    await run({ model: reading, tokenizer: own, examples: features, steps: 60, batchSize: 3 });
    const said = await caption({ model: reading, tokenizer: own, pictures: features.map(one => one.values) });
    expect(said.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    reading.dispose();
    model.dispose();
  });

  it('makes pictures of any size as large as the model reads, on white', () => {
    const white = new Uint8Array(4 * 6 * 3); // transparent black
    expect([...pictureValues({ width: 6, height: 3, data: white }, 4)]).toEqual(Array(48).fill(1));
    const wide = pictureValues({ width: 8, height: 4, data: new Uint8Array(8 * 4 * 3) }, 4);
    const rows = Array.from({ length: 4 }, (_, row) => wide[row * 12]);
    expect(rows).toEqual([1, 0, 0, 1]);
    const data = Uint8Array.from({ length: 48 }, (_, i) => 5 * i);
    expect([...pictureValues({ width: 4, height: 4, data }, 4)]).toEqual(
      [...data].map(byte => expect.closeTo(byte / 255, 6)),
    );
    expect(() => pictureValues({ width: 4, height: 4, data: data.subarray(1) }, 4)).toThrow('3 or 4 bytes a pixel');
  });

  it('has baselines, and scores of anything', () => {
    const [red, , green] = held;
    expect(nearestNeighbourCaptions([red!.values, green!.values], examples)).toEqual([
      red!.captions[0],
      green!.captions[0],
    ]);
    expect(mostFrequentCaption([...held, held[3]!])).toBe(held[3]!.captions[0]);
    const references = held.map(({ captions }) => [...captions, 'A bar.']);
    const { bleu, cider, chrf } = scoreCaptions(
      references.map(([text]) => text!.toUpperCase()),
      references,
    );
    expect(bleu.score).toBeCloseTo(100, 5);
    expect(chrf).toBeCloseTo(100, 5);
    expect(cider).toBeGreaterThan(3);
  });

  it('refuses what does not fit, and changes nothing', async () => {
    const model = build();
    const before = weights(model);
    const wrong: [Partial<TrainCaptionerOptions>, string][] = [
      [{ examples: [] }, 'there must be at least one example'],
      [{ examples: [{ values: new Float32Array(5), captions: ['a'] }] }, 'picture 0 must have as many values'],
      [{ examples: [{ ...held[0]!, captions: [] }] }, 'every picture must have a caption'],
      [{ examples: [{ values: new Float32Array(192).fill(Number.NaN), captions: ['a'] }] }, 'must be finite'],
      [{ tokenizer: trainCaptionTokenizer(['one']) }, "the tokenizer's vocabulary must be the model's"],
      [{ shift: 8 }, 'shift'],
      [{ learningRate: -1 }, 'learningRate'],
    ];
    for (const [options, message] of wrong) {
      await expect(run({ model, steps: 2, ...options }), message).rejects.toThrow(message);
      await expect(run({ model, steps: 2, ...options })).rejects.toThrow(ArgumentError);
    }
    expect(weights(model)).toEqual(before);
    expect(() => build({ side: 10 })).toThrow('divisible by 2 as often as there are channels, got 10 and 4');
    expect(() => build({ encoder: 'features' })).toThrow('featureSize');
    expect(() => build({ decoder: 'lstm' as never })).toThrow("'transformer' | 'recurrent'");
    const bytes = await encodeCaptioner({ model, tokenizer });
    expect(() => decodeCaptioner(bytes.subarray(0, bytes.length - 9))).toThrow(FormatError);
    model.dispose();
  });
});
