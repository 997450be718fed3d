import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disposeState, FormatError, Linear, parameters, Rng } from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import {
  adam,
  type Checkpoint,
  captureCheckpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  Optimizer,
  restoreCheckpoint,
  restoreState,
  WeightAverage,
} from '@ostinato/training';
import { loadCheckpoint, saveCheckpoint } from '@ostinato/training/node';
import { readSafetensors, writeSafetensors } from '@ostinato/weights';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

/** A small run with everything a checkpoint can hold. */
async function sample(): Promise<Checkpoint> {
  const model = new Linear({ inputSize: 2, outputSize: 1, rng: new Rng(2) });
  const optimizer = new Optimizer(adam({ learningRate: 0.1 }), parameters(model));
  const average = new WeightAverage(parameters(model));
  const gradients = new Map([...parameters(model)].map(([path, { shape }]) => [path, tf.ones(shape)]));
  optimizer.apply(gradients);
  const state = [
    { hidden: tf.tensor2d([[0.1, Number.NaN]]), cell: tf.tensor1d([3], 'int32') },
    tf.tensor1d([1, 0], 'bool'),
  ];
  const checkpoint = await captureCheckpoint({
    step: 7,
    optimizer,
    average,
    state,
    rng: new Rng(9),
    cursor: { epoch: 1, order: [2, 0] },
    progress: null,
    config: { vocabulary: ['ä', '"', '\u2028'], hiddenSize: 3 },
  });
  disposeState(state);
  tf.dispose([...gradients.values()]);
  for (const one of [model, optimizer, average]) one.dispose();
  return checkpoint;
}

/** Bit for bit: NaN included, whatever the arrays share. */
const comparable = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, part) => {
      if (part instanceof Map) return [...part].sort(([a], [b]) => (a < b ? -1 : 1));
      return ArrayBuffer.isView(part) ? [...new Uint8Array(part.buffer, part.byteOffset, part.byteLength)] : part;
    }),
  );

describe('encodeCheckpoint', () => {
  it('round-trips everything, to the bit', () =>
    expectNoLeak(async () => {
      const checkpoint = await sample();
      const decoded = decodeCheckpoint(encodeCheckpoint(checkpoint));
      expect(comparable(decoded)).toEqual(comparable(checkpoint));

      const state = restoreState<[{ hidden: tf.Tensor; cell: tf.Tensor }, tf.Tensor]>(decoded.state!);
      expect(state[0].hidden.arraySync()).toEqual([[Math.fround(0.1), Number.NaN]]);
      expect([state[0].cell.dtype, state[1].dtype]).toEqual(['int32', 'bool']);
      disposeState(state);
    }));

  it('can do without state and averages, and with a state of one tensor', async () => {
    const checkpoint = { ...(await sample()), state: null, average: null };
    expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toMatchObject({ state: null, average: null });
    const one = {
      layout: '',
      tensors: new Map([['', { dtype: 'F32', shape: [1], data: Float32Array.of(5) } as const]]),
    };
    const restored = restoreState<tf.Tensor>(decodeCheckpoint(encodeCheckpoint({ ...checkpoint, state: one })).state!);
    expect([...restored.dataSync()]).toEqual([5]);
    restored.dispose();
  });

  it('is a safetensors file with the parameters under model.*', async () => {
    const { tensors, metadata } = readSafetensors(encodeCheckpoint(await sample()));
    expect([...tensors.keys()].filter(name => name.startsWith('model.')).sort()).toEqual([
      'model.bias',
      'model.weight',
    ]);
    expect(metadata.get('format')).toBe('ostinato-checkpoint');
  });
});

describe('decodeCheckpoint', () => {
  it('says what is missing, and what to do', async () => {
    const { tensors, metadata } = readSafetensors(encodeCheckpoint(await sample()));
    const without = (key: string): Uint8Array =>
      writeSafetensors({ tensors, metadata: new Map([...metadata].filter(([name]) => name !== key)) });
    expect(() => decodeCheckpoint(without('checksum'))).toThrow(/must note its checksum, got none\. Use another copy/);
    expect(() => decodeCheckpoint(without('version'))).toThrow(/another version, expected 1, got none\./);
    expect(() => decodeCheckpoint(new TextEncoder().encode('hello'))).toThrow(
      /a safetensors file must begin .* got 5 bytes\. The file is damaged, or no safetensors file/,
    );
    expect(() => decodeCheckpoint(new TextEncoder().encode('Once upon a time'))).toThrow(/no safetensors file/);
  });

  it('refuses a file cut anywhere', async () => {
    const bytes = encodeCheckpoint(await sample());
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeCheckpoint(bytes.subarray(0, length)), `${length} bytes`).toThrow(FormatError);
    }
  });

  it('refuses any changed byte that changes anything', async () => {
    const checkpoint = await sample();
    const bytes = encodeCheckpoint(checkpoint);
    const whole = JSON.stringify(comparable(checkpoint));
    let refused = 0;
    for (let position = 0; position < bytes.length; position++) {
      for (const flip of [0x01, 0x20, 0x80, 0xff]) {
        const damaged = bytes.slice();
        damaged[position]! ^= flip;
        try {
          // Padding may change from one white space to another.
          expect(JSON.stringify(comparable(decodeCheckpoint(damaged)))).toBe(whole);
        } catch (error) {
          expect(error, `byte ${position}`).toBeInstanceOf(FormatError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(4 * (bytes.length - 16));
  });

  it.each<[string, (content: Record<string, unknown>) => unknown]>([
    ['step must be', content => ({ ...content, step: -1 })],
    ['optimizer must be', content => ({ ...content, optimizer: { step: 1 } })],
    ['Rng.fromState', content => ({ ...content, rng: null })],
    ['the state must have the tensor "x"', content => ({ ...content, state: { layout: 'x' } })],
    ['layout of the state', content => ({ ...content, state: { layout: [1] } })],
  ])('says: %s', async (message, change) => {
    const checkpoint = await sample();
    const { checksum } = await import('../src/checksum.ts');
    const { tensors, metadata } = readSafetensors(encodeCheckpoint(checkpoint));
    const content = JSON.stringify(change(JSON.parse(metadata.get('content')!)));
    const forged = writeSafetensors({
      tensors,
      metadata: new Map([...metadata, ['content', content], ['checksum', checksum(content, tensors)]]),
    });
    expect(() => decodeCheckpoint(forged)).toThrow(message);
    expect(() => decodeCheckpoint(forged)).toThrow(FormatError);
  });

  it('says what a file is that is none of ours, or a later one', async () => {
    const { tensors, metadata } = readSafetensors(encodeCheckpoint(await sample()));
    const plain = writeSafetensors({ tensors });
    expect(() => decodeCheckpoint(plain)).toThrow('must be a checkpoint, expected ostinato-checkpoint, got none');
    const later = writeSafetensors({ tensors, metadata: new Map([...metadata, ['version', '2']]) });
    expect(() => decodeCheckpoint(later)).toThrow('another version, expected 1, got 2');
  });

  it('is the CRC-32 of zip', async () => {
    const { checksum } = await import('../src/checksum.ts');
    expect(checksum('123456789', new Map())).toBe('cbf43926'); // the check value of the CRC catalogue
  });
});

it('changes nothing when the checkpoint is of another model or damaged', () =>
  expectNoLeak(async () => {
    const checkpoint = await sample();
    const model = new Linear({ inputSize: 2, outputSize: 1, rng: new Rng(5) });
    const optimizer = new Optimizer(adam({ learningRate: 0.1 }), parameters(model));
    const average = new WeightAverage(parameters(model));
    const read = (): unknown =>
      [...parameters(model).values(), ...optimizer.state().tensors.values(), ...average.state().values()].map(
        tensor => [...tensor.dataSync()],
      );
    const before = read();
    const slot = 'slots/firstMoment/bias';
    const integer = { dtype: 'I32', shape: [1], data: new Int32Array(1) } as const;
    const { optimizer: saved, average: averages } = checkpoint;
    const renamed = new Map(saved.tensors).set('slots/momentum/bias', saved.tensors.get(slot)!);
    renamed.delete(slot);
    const wrongs: [Partial<Checkpoint>, string][] = [
      [{ optimizer: { ...saved, numbers: { ...saved.numbers, 'counts/bias': Number.NaN } } }, 'the number counts/bias'],
      [
        { optimizer: { ...saved, tensors: new Map(saved.tensors).set(slot, integer) } },
        `${slot} must be float32, got I32`,
      ],
      [{ optimizer: { ...saved, tensors: renamed } }, `the state must have ${slot}`],
      [{ average: new Map(averages!).set('bias', integer) }, 'bias must be float32, got I32'],
      [
        { average: new Map(averages!).set('gain', averages!.get('bias')!) },
        'every average must be of a parameter, got gain',
      ],
      [{ average: null }, 'the checkpoint must have averages'],
    ];
    for (const [changes, message] of wrongs) {
      const restore = (): void => restoreCheckpoint({ ...checkpoint, ...changes }, { optimizer, average });
      expect(restore).toThrow(FormatError);
      expect(restore).toThrow(message);
      expect(read()).toEqual(before);
    }
    restoreCheckpoint(checkpoint, { optimizer, average });
    expect([...model.weight.dataSync()]).toEqual([...checkpoint.parameters.get('weight')!.data]);
    expect(optimizer.step).toBe(1);
    for (const one of [optimizer, average, model]) one.dispose();
  }));

it('saves to and loads from files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ostinato-'));
  const path = join(folder, 'run.safetensors');
  const checkpoint = await sample();
  await saveCheckpoint(path, checkpoint);
  expect(await readdir(folder)).toEqual(['run.safetensors']);
  expect(comparable(await loadCheckpoint(path))).toEqual(comparable(checkpoint));
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
  await expect(loadCheckpoint(path)).rejects.toThrow(
    /run\.safetensors \(decodeCheckpoint\): the content must have its checksum/,
  );
  await rm(folder, { recursive: true });
});
