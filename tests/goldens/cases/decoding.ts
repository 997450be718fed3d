import {
  beamSearch,
  blockRepeatedNgrams,
  filterLogits,
  type Hypothesis,
  penalizeRepetition,
  sampleInverse,
  softmax,
} from '@ostinato/decoding';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, type Comparison, type Golden, type GoldenTensor, numbers } from '../golden.ts';

interface FilterCase {
  readonly options: {
    readonly temperature?: number;
    readonly top_k?: number;
    readonly top_p?: number;
    readonly min_p?: number;
    readonly typical_p?: number;
  };
  readonly probabilities: GoldenTensor;
}

interface BeamResult {
  readonly tokens: number[];
  readonly log_prob: number;
  readonly score: number;
}

/** Every list of the file; and with a beam as wide as there are prefixes, the best of all sequences. */
async function beamSearchCase(golden: Golden): Promise<CaseResult> {
  const { vocab, bos, eos, max_length: maximumTokens } = golden.config as unknown as Record<string, number>;
  const table = tf.tensor2d(numbers(golden.inputs['log_probs']!), [vocab!, vocab!]);
  const { beams, exhaustive } = golden.outputs as unknown as Record<string, Record<string, BeamResult[]>>;
  const search = async (beamSize: number, alpha: number, count: number): Promise<Hypothesis[]> => {
    const [found] = await beamSearch({
      step: (tokens, state) => ({ logits: tf.gather(table, tf.tensor1d(tokens, 'int32')), state }),
      initialState: [],
      prompts: [[bos!]],
      endToken: eos!,
      maximumTokens: maximumTokens!,
      beamSize,
      count,
      lengthPenalty: { kind: 'gnmt', alpha },
      earlyStopping: count === beamSize ? 'never' : 'exact',
    });
    return found!;
  };
  const differences: Comparison[] = [];
  for (const [name, want] of [...Object.entries(beams!), ...Object.entries(exhaustive!)]) {
    const alpha = Number(/alpha_([\d.]+)/.exec(name)![1]);
    const beamSize = Number(/beam_(\d+)/.exec(name)?.[1] ?? 4000);
    const found = await search(beamSize, alpha, beamSize === 4000 ? want.length : beamSize);
    const flat = (list: readonly BeamResult[]): number[] =>
      list.flatMap(({ tokens, log_prob, score }) => [...tokens, log_prob, score]);
    const got = found.map(({ tokens, logProbability, score }) => ({
      tokens: [bos!, ...tokens],
      log_prob: logProbability,
      score,
    }));
    differences.push({ name, got: flat(got), want: flat(want) });
  }
  table.dispose();
  return { differences };
}

/** Cases of the folder `decoding`. */
export function runDecodingCase(golden: Golden): CaseResult | Promise<CaseResult> {
  const name = golden.name.split('/').at(-1)!;
  if (name.startsWith('beam_search')) return beamSearchCase(golden);
  const { inputs, outputs } = golden;
  const logits = inputs['logits'] ? Float32Array.from(numbers(inputs['logits'])) : new Float32Array(0);

  if (name.startsWith('filters')) {
    const cases = outputs['cases'] as unknown as FilterCase[];
    return {
      differences: cases.map(({ options, probabilities }) => {
        const { temperature, top_k: topK, top_p: topP, min_p: minP, typical_p: typicalP } = options;
        const got = softmax(filterLogits(logits, { temperature, topK, topP, minP, typicalP }));
        return { name: JSON.stringify(options), got, want: numbers(probabilities) };
      }),
    };
  }
  if (name === 'gumbel_and_inverse_cdf') {
    const probabilities = softmax(logits);
    const cumulative = numbers(outputs['cumulative']!);
    const uniform = numbers(inputs['uniform']!);
    return {
      differences: [
        { name: 'probabilities', got: probabilities, want: numbers(outputs['probabilities']!) },
        {
          name: 'inverse',
          got: uniform.map(u => sampleInverse(probabilities, u)),
          want: uniform.map(u => cumulative.findIndex(total => total > u)),
        },
      ],
    };
  }
  if (name === 'no_repeat_ngram') {
    const { vocab } = golden.config as unknown as { vocab: number };
    const previous = numbers(inputs['previous_ids']!);
    return {
      differences: [2, 3].map(n => ({
        name: `banned_n${n}`,
        got: blockRepeatedNgrams(new Float32Array(vocab), previous, n).map(x => Number(x === -Infinity)),
        want: numbers(outputs[`banned_n${n}`]!),
      })),
    };
  }
  if (name.startsWith('repetition_penalty')) {
    const { penalty } = golden.config as unknown as { penalty: number };
    const got = penalizeRepetition(logits, numbers(inputs['previous_ids']!), penalty);
    return { differences: [{ name: 'logits', got, want: numbers(outputs['logits']!) }] };
  }
  return { skipped: name };
}
