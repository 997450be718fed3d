import { ArgumentError, FormatError, Linear, parameters, Rng, ShapeError } from '@ostinato/core';
import { assignParameters, parametersToBytes, readSafetensors, type SafeTensor } from '@ostinato/weights';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, it } from 'vitest';

const models: Linear[] = [];
const model = (seed: number): Linear => {
  const linear = new Linear({ inputSize: 3, outputSize: 2, rng: new Rng(seed) });
  models.push(linear);
  return linear;
};
const values = (linear: Linear): number[][] => [...parameters(linear).values()].map(v => [...v.dataSync()]);

let before = 0;
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => {
  for (const linear of models.splice(0)) linear.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it('round-trips float32 to the bit', async () => {
  const [from, to] = [model(1), model(2)];
  const bytes = await parametersToBytes(parameters(from), { metadata: new Map([['format', 'test']]) });
  const { tensors, metadata } = readSafetensors(bytes);
  expect(metadata.get('format')).toBe('test');
  expect(assignParameters(parameters(to), tensors)).toEqual({ missing: [], unexpected: [] });
  expect(values(to)).toEqual(values(from));
});

it('keeps its own copy of what it is given', () => {
  const linear = model(1);
  const data = Float32Array.of(1, 2);
  assignParameters(parameters(linear), new Map([['bias', { dtype: 'F32', shape: [2], data }]]), { strict: false });
  data.fill(9);
  expect([...linear.bias!.dataSync()]).toEqual([1, 2]);
});

it.each([
  ['F16', 2 ** -11],
  ['BF16', 2 ** -8],
] as const)('%s is within half a unit in the last place', async (dtype, relative) => {
  const [from, to] = [model(1), model(2)];
  const { tensors } = readSafetensors(await parametersToBytes(parameters(from), { dtype }));
  expect(tensors.get('weight')!.dtype).toBe(dtype);
  assignParameters(parameters(to), tensors);
  const want = values(from).flat();
  values(to)
    .flat()
    .forEach((got, i) => {
      expect(Math.abs(got - want[i]!)).toBeLessThanOrEqual(Math.abs(want[i]!) * relative + 2 ** -25);
    });
});

it('checks everything before it changes anything', () => {
  const linear = model(1);
  const before = values(linear);
  const tensor = (shape: number[], dtype: 'F32' | 'F64' = 'F32'): SafeTensor => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { dtype, shape, data: dtype === 'F32' ? new Float32Array(size) : new Float64Array(size) };
  };
  const assign =
    (tensors: Record<string, SafeTensor>, strict = true) =>
    () =>
      assignParameters(parameters(linear), new Map(Object.entries(tensors)), { strict });

  expect(assign({ weight: tensor([3, 2]) })).toThrow(FormatError);
  expect(assign({ weight: tensor([3, 2]) })).toThrow('got tensors without bias');
  expect(assign({ weight: tensor([3, 2]), bias: tensor([2]), other: tensor([1]) })).toThrow('with the unknown other');
  expect(assign({ weight: tensor([3, 2]), bias: tensor([3]) })).toThrow(ShapeError);
  expect(assign({ weight: tensor([3, 2]), bias: tensor([3]) })).toThrow(
    'bias (assignParameters): the shape must be that of the parameter, expected [2], got [3].',
  );
  const integers: SafeTensor = { dtype: 'I32', shape: [2], data: new Int32Array(2) };
  expect(assign({ weight: tensor([3, 2]), bias: integers })).toThrow('dtype must fit float32');
  expect(values(linear)).toEqual(before);

  expect(assign({ bias: tensor([2], 'F64'), other: tensor([1]) }, false)()).toEqual({
    missing: ['weight'],
    unexpected: ['other'],
  });
  expect(values(linear)).toEqual([before[0], [0, 0]]);
});

it.each<[string, SafeTensor]>([
  ['too short', { dtype: 'F32', shape: [2], data: new Float32Array(1) }],
  ['too long', { dtype: 'F32', shape: [2], data: new Float32Array(3) }],
  ['of another array', { dtype: 'F32', shape: [2], data: new Float64Array(2) }],
  ['bit patterns as numbers', { dtype: 'F16', shape: [2], data: new Float32Array(2) }],
])('changes nothing when the last values are %s', (_, bias) => {
  const linear = model(1);
  const before = values(linear);
  const weight: SafeTensor = { dtype: 'F32', shape: [3, 2], data: new Float32Array(6) };
  expect(() =>
    assignParameters(
      parameters(linear),
      new Map([
        ['weight', weight],
        ['bias', bias],
      ]),
    ),
  ).toThrow(ArgumentError);
  expect(values(linear)).toEqual(before);
});
