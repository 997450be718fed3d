import { alibiBias, alibiSlopes, relativeBuckets, rotary, SinusoidalPositions } from '@ostinato/embeddings';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, type Comparison, compareWithGradients, type Golden, numbers } from '../golden.ts';

type Config = Readonly<Record<string, number | string>>;

/** Cases of the folder `positions`. */
export function runPositionsCase(golden: Golden): CaseResult {
  const config = golden.config as unknown as Config;
  const kind = golden.name.split('/').at(-1)!.split('_')[0]!;
  if (kind === 'rotary') return runRotary(golden, config);
  const want = (name: string): number[] => numbers(golden.outputs[name]!);
  if (kind === 't5') {
    const distances = numbers(golden.inputs['relative_position']!);
    const sizes = { numBuckets: Number(config['num_buckets']), maximumDistance: Number(config['max_distance']) };
    const compare = (name: string, bidirectional: boolean): Comparison => ({
      name,
      got: relativeBuckets(distances, { ...sizes, bidirectional }),
      want: want(name),
    });
    return { differences: [compare('bidirectional', true), compare('causal', false)] };
  }
  if (golden.name.endsWith('alibi_slopes')) {
    const names = Object.keys(golden.outputs);
    return { differences: names.map(name => ({ name, got: alibiSlopes(Number(name)), want: want(name) })) };
  }
  return tf.tidy(() => {
    if (kind === 'alibi') {
      const bias = alibiBias({ numHeads: Number(config['heads']), queryTime: Number(config['time']) });
      return { differences: [{ name: 'bias', got: bias.dataSync(), want: want('bias') }] };
    }
    const layout = golden.name.includes('halves') ? 'halves' : 'interleaved';
    const [size, base] = [Number(config['d_model']), Number(config['base'])];
    const table = new SinusoidalPositions({ size, base, layout }).table(Number(config['length']));
    return { differences: [{ name: 'table', got: table.dataSync(), want: want('table') }] };
  });
}

/** By offset, and by positions where the case lists them. */
function runRotary(golden: Golden, config: Config): CaseResult {
  const options = {
    layout: config['convention'] === 'half_split' ? ('halves' as const) : ('interleaved' as const),
    base: Number(config['base']),
    offset: Number(config['offset'] ?? 0),
    size: config['rotary_dim'] === undefined ? undefined : Number(config['rotary_dim']),
  };
  const byOffset = compareWithGradients(golden, ({ x }) => ({ output: rotary(x!, options) }));
  if (!golden.inputs['positions']) return byOffset;
  const byPositions = compareWithGradients(golden, ({ x, positions }) => ({
    output: rotary(x!, { ...options, positions }),
  }));
  return {
    differences: [byOffset, byPositions].flatMap(result => ('differences' in result ? result.differences : [])),
  };
}
