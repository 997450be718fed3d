import { formatBleu } from '@ostinato/metrics';
import { evaluate, type SentencePair, type TranslationEvaluation } from '@ostinato/tasks/translation';
import { loadTranslator } from '@ostinato/tasks/translation/node';
import { type CommonOptions, startEngine } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import type { Output } from '../output.ts';
import { type PairFiles, readPairFiles } from '../pair-data.ts';
import type { Measured } from '../task-session.ts';

/** Options of `ostinato evaluate` for translators. */
export interface EvaluateTranslationOptions extends CommonOptions, PairFiles {
  readonly beam: number;
  readonly lowercase: boolean;
}

/** Measures a translator on pairs. */
export async function evaluateTranslation(
  output: Output,
  path: string,
  options: EvaluateTranslationOptions,
): Promise<void> {
  if (options.data === undefined && options.source === undefined) {
    throw badInput('--source', 'the pairs must be named, with --source and --target or with --data', 'none');
  }
  const pairs = await readPairFiles(options);
  await startEngine(output, options);
  const interrupt = listenForInterrupt(() => undefined);
  try {
    const { model, tokenizers, details } = await loadTranslator(path);
    const { reading } = (details ?? {}) as { readonly reading?: { readonly lowercase?: boolean } };
    const lowercase = options.lowercase || reading?.lowercase === true;
    const { signal } = interrupt;
    const found = await evaluate({ model, tokenizers, pairs, beamSize: options.beam, bleu: { lowercase }, signal });
    const { lines, fields } = translationMeasured(pairs, found);
    output.line();
    for (const line of lines) output.line(line);
    output.event({ event: 'result', ...fields });
  } finally {
    interrupt.release();
  }
}

/** What `ostinato evaluate` and the end of a training say of a translator, with three translations. */
export function translationMeasured(
  pairs: readonly SentencePair[],
  { bleu, nats, tokens, translations }: TranslationEvaluation,
): Measured {
  const samples = pairs
    .slice(0, 3)
    .flatMap(({ source, target }, i) => ['', source, `→ ${translations[i]!.text}`, `  (${target})`]);
  return {
    lines: [`${formatBleu(bleu)}   ${nats.toFixed(3)} nats   (${pairs.length} sentences)`, ...samples, ''],
    fields: { bleu: bleu.score, signature: bleu.signature, nats, tokens, sentences: pairs.length },
  };
}
