import { blockRepeatedNgrams, filterLogits, penalizeRepetition, sampleInverse, softmax } from '@ostinato/decoding';
import { type CaseResult, type Golden, type GoldenTensor, numbers } from '../golden.ts';

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

/** Cases of the folder `decoding`. */
export function runDecodingCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  if (name.startsWith('beam_search')) return { skipped: 'beam search' };
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
