import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  accuracy,
  type BleuSmoothing,
  type BleuTokenizer,
  bitsPerCharacter,
  bitsPerToken,
  classificationReport,
  corpusBleu,
  corpusChrf,
  corpusCider,
  corpusTer,
  forecastErrors,
  perplexity,
  type References,
  type RougeScore,
  rankingReport,
  sentenceBleu,
  sentenceRouge,
  TokenLossMean,
  tokenizeForBleu,
  topAccuracy,
} from '@ostinato/metrics';
import { type CaseResult, type Comparison, type Golden, type GoldenTensor, numbers } from '../golden.ts';

interface Entry {
  readonly options: Record<string, string | number | boolean>;
  readonly score: number;
  readonly signature: string;
}

interface BleuEntry extends Entry {
  readonly precisions: number[];
  readonly bp: number;
  readonly sys_len: number;
  readonly ref_len: number;
  readonly counts: number[];
  readonly totals: number[];
}

interface TextScores {
  readonly bleu?: BleuEntry[];
  readonly chrf?: Entry[];
  readonly ter?: (Entry & { readonly edits: number; readonly ref_length: number })[];
  readonly sentence_bleu_effective_order?: number[];
  readonly sentence_bleu_exp?: number[];
}

type Tree = number | string | readonly Tree[] | { readonly [name: string]: Tree };

/** Cases of the folder `metrics`. */
export function runMetricsCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  const inputs = golden.inputs as unknown as { hypotheses: string[]; references: string[][]; lines: string[] };
  const outputs = golden.outputs as unknown as Record<string, Tree>;
  if (name === 'bleu_tokenizers') {
    return { differences: Object.entries(outputs).map(([kind, want]) => sameTokens(inputs.lines, kind, want)) };
  }
  if (name === 'bleu_multi30k') {
    const cases = outputs['cases'] as unknown as (TextScores & { hypotheses: string; references: string })[];
    const folder = resolve(process.env['OSTINATO_GOLDENS'] ?? '../shared/goldens');
    const differences = cases.flatMap(each => {
      const hypotheses = linesOf(gunzipSync(readFileSync(`${folder}/metrics/${each.hypotheses}`)).toString());
      return textScores(hypotheses, linesOf(readFileSync(`${folder}/../data/${each.references}`, 'utf8')), each);
    });
    return { differences };
  }
  if (name.startsWith('bleu')) {
    const references = inputs.hypotheses.map((_, i) => inputs.references.map(list => list[i]!));
    return { differences: textScores(inputs.hypotheses, references, outputs as unknown as TextScores) };
  }
  if (name === 'cider_d') {
    const { score, perCaption } = corpusCider(inputs.hypotheses, inputs.references);
    return {
      differences: [
        ...compare('score', score, outputs['score']!),
        ...compare('each', perCaption, outputs['per_sentence']!),
      ],
    };
  }
  if (name === 'rouge') return { differences: rouge(inputs as unknown as Lines, outputs['scores']!) };
  return { differences: ofNumbers(name, golden, outputs) };
}

interface Lines {
  readonly hypotheses: readonly string[];
  readonly references: readonly string[];
}

const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n');

/** Goldens of metrics are float64 decimals: equal to 1e-9 of the largest, told as a difference that no tolerance lets pass. */
function compare(name: string, got: Tree, want: Tree): Comparison[] {
  if (typeof want === 'number') {
    const fits = Math.abs((got as number) - want) <= 1e-9 * Math.max(1, Math.abs(want)) || Object.is(got, want);
    return [{ name: `${name}: ${got} for ${want}`, got: [fits ? 0 : 1], want: [0] }];
  }
  if (typeof want === 'string')
    return [{ name: `${name}: ${got} for ${want}`, got: [got === want ? 0 : 1], want: [0] }];
  return Object.entries(want).flatMap(([key, each]) =>
    compare(`${name}.${key}`, (got as Record<string, Tree>)[key]!, each),
  );
}

function sameTokens(lines: readonly string[], kind: string, want: Tree): Comparison {
  const got = lines.map(line => tokenizeForBleu(line, kind as BleuTokenizer));
  return { name: kind, got: got.map((line, i) => Number(line !== (want as string[])[i])), want: got.map(() => 0) };
}

const keys: Record<string, string> = {
  smooth_method: 'smoothing',
  smooth_value: 'smoothingValue',
  max_ngram_order: 'maximumOrder',
  effective_order: 'effectiveOrder',
  char_order: 'characterOrder',
  word_order: 'wordOrder',
  eps_smoothing: 'epsilonSmoothing',
  no_punct: 'removePunctuation',
  asian_support: 'asian',
  case_sensitive: 'caseSensitive',
};

const renamed = (options: Entry['options']): Record<string, string | number | boolean> =>
  Object.fromEntries(Object.entries(options).map(([key, value]) => [keys[key] ?? key, value]));

function textScores(hypotheses: readonly string[], references: References, want: TextScores): Comparison[] {
  const { bleu = [], chrf = [], ter = [] } = want;
  const label = (kind: string, { options }: Entry): string => `${kind} ${JSON.stringify(options)}`;
  const sentences = (effectiveOrder: boolean): number[] =>
    hypotheses.map((each, i) => sentenceBleu(each, references[i]!, { effectiveOrder }).score);
  return [
    ...bleu.flatMap(entry => {
      const options = renamed(entry.options) as { smoothing?: BleuSmoothing };
      const { score, signature, precisions, brevityPenalty: bp, ...got } = corpusBleu(hypotheses, references, options);
      const { hypothesisLength: sys_len, referenceLength: ref_len, matches: counts, totals } = got;
      const { options: _, ...expected } = entry;
      const all = { score, signature, precisions, bp, sys_len, ref_len, counts, totals };
      return compare(label('BLEU', entry), all, expected as unknown as Tree);
    }),
    ...chrf.flatMap(entry => {
      const { score, signature } = corpusChrf(hypotheses, references, renamed(entry.options));
      return compare(label('chrF', entry), { score, signature }, { score: entry.score, signature: entry.signature });
    }),
    ...ter.flatMap(entry => {
      const { options: _, ...expected } = entry;
      const {
        score,
        signature,
        edits,
        referenceLength: ref_length,
      } = corpusTer(hypotheses, references, renamed(entry.options));
      return compare(label('TER', entry), { score, signature, edits, ref_length }, expected as unknown as Tree);
    }),
    ...(want.sentence_bleu_exp ? compare('sentences', sentences(false), want.sentence_bleu_exp) : []),
    ...(want.sentence_bleu_effective_order
      ? compare('sentences, effective order', sentences(true), want.sentence_bleu_effective_order)
      : []),
  ];
}

function rouge({ hypotheses, references }: Lines, want: Tree): Comparison[] {
  return hypotheses.flatMap((hypothesis, i) => {
    const got = sentenceRouge(hypothesis, references[i]!);
    return Object.entries((want as readonly Record<string, Tree>[])[i]!).flatMap(([kind, expected]) => {
      const { precision, recall, f1: f } = got[kind as keyof RougeScore];
      return compare(`${i} ${kind}`, { precision, recall, f }, expected);
    });
  });
}

/** Metrics of numbers: classification, ranking, forecasts, language models. */
function ofNumbers(name: string, golden: Golden, outputs: Record<string, Tree>): Comparison[] {
  const input = (key: string): number[] => numbers(golden.inputs[key]!);
  if (name.startsWith('classification')) {
    const { classes } = golden.config as unknown as { classes: number };
    const report = classificationReport(input('target'), input('predicted'), { numClasses: classes });
    const {
      balancedAccuracy: balanced_accuracy,
      matthews: mcc,
      confusion: confusion_matrix,
      perClass,
      ...rest
    } = report;
    const of = (part: 'precision' | 'recall' | 'f1' | 'support'): number[] => perClass.map(each => each[part]);
    const per_class = { precision: of('precision'), recall: of('recall'), f1: of('f1'), support: of('support') };
    // Of single-label predictions micro precision, recall and F1 are the accuracy.
    const micro = { precision: rest.accuracy, recall: rest.accuracy, f1: rest.accuracy };
    return compare(
      name,
      { ...rest, balanced_accuracy, mcc, confusion_matrix, per_class, micro } as unknown as Tree,
      outputs,
    );
  }
  if (name === 'roc_auc') {
    const { rocAuc: roc_auc, averagePrecision: average_precision } = rankingReport(input('target'), input('score'));
    return compare(name, { roc_auc, average_precision }, outputs);
  }
  const tensors = Object.entries(golden.outputs) as [string, GoldenTensor][];
  const got: Record<string, number> =
    name === 'regression' ? { ...forecastErrors(input('target'), input('prediction')) } : ofLanguageModel(golden);
  return tensors.map(([key, tensor]) => ({ name: key, got: [got[key]!], want: numbers(tensor) }));
}

function ofLanguageModel(golden: Golden): Record<string, number> {
  const numClasses = golden.inputs['logits']!.shape[2]!;
  const steps = golden.inputs['target']!.shape[1]!;
  const [logits, targets] = [numbers(golden.inputs['logits']!), numbers(golden.inputs['target']!)];
  const lengths = numbers(golden.inputs['lengths']!);
  const inside = targets.map((_, i) => i).filter(i => i % steps < lengths[Math.floor(i / steps)]!);
  const row = (i: number): number[] => logits.slice(i * numClasses, (i + 1) * numClasses);
  const best = (i: number): number => row(i).indexOf(Math.max(...row(i)));
  const mean = new TokenLossMean();
  for (const i of inside) mean.add(Math.log(row(i).reduce((sum, x) => sum + Math.exp(x), 0)) - row(i)[targets[i]!]!, 1);
  const { bytes_or_chars_per_token: width } = golden.config as unknown as { bytes_or_chars_per_token: number };
  const wanted = inside.map(i => targets[i]!);
  const right = lengths.map((_, k) => inside.every(i => Math.floor(i / steps) !== k || best(i) === targets[i]));
  return {
    nll_mean: mean.mean,
    perplexity: perplexity(mean.mean),
    bits_per_token: bitsPerToken(mean.mean),
    bits_per_character: bitsPerCharacter(mean.mean, {
      tokens: 2 * inside.length,
      characters: 2 * inside.length * width,
    }),
    token_accuracy: accuracy(wanted, inside.map(best)),
    sequence_accuracy: right.filter(Boolean).length / right.length,
    top3_accuracy: topAccuracy(wanted, inside.flatMap(row), { numClasses, count: 3 }),
  };
}
