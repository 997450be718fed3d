import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { corpusBleu, corpusChrf, corpusTer, formatBleu, formatChrf, formatTer } from '../src/index.ts';

interface Corpus {
  readonly hypotheses: readonly string[];
  /** One list for the whole corpus after the other, as sacreBLEU has them. */
  readonly references: readonly (readonly string[])[];
  readonly scores: readonly (readonly [string, string, number])[];
}

const file = process.env['OSTINATO_SACREBLEU'] ?? `${import.meta.dirname}/sacrebleu.json`; // of another run of sacrebleu.py
const corpora = JSON.parse(readFileSync(file, 'utf8')) as Corpus[];

describe('equal to sacreBLEU 2.6.0 (values made by sacrebleu.py)', () => {
  it.each(corpora.map((corpus, i) => [i, corpus] as const))(
    'random corpus %i',
    (_, { hypotheses, references, scores }) => {
      const each = hypotheses.map((_text, i) => references.map(list => list[i]!));
      const bleu = [
        { tokenize: '13a' },
        { tokenize: 'intl', lowercase: true },
        { tokenize: 'char', smoothing: 'floor' },
        { tokenize: 'none', smoothing: 'add-k', smoothingValue: 0.125 },
        { smoothing: 'none', effectiveOrder: true, maximumOrder: 3 },
      ] as const;
      const chrf = [
        { lowercase: true },
        { wordOrder: 2, whitespace: true },
        { wordOrder: 1, epsilonSmoothing: true, beta: 3 },
      ];
      const ter = [
        {},
        { normalized: true, asian: true, caseSensitive: true },
        { normalized: true, removePunctuation: true, asian: true },
      ];
      const got = [
        ...bleu
          .map(options => corpusBleu(hypotheses, each, options))
          .map(x => ['bleu', formatBleu(x), x.score] as const),
        ...chrf
          .map(options => corpusChrf(hypotheses, each, options))
          .map(x => ['chrf', formatChrf(x), x.score] as const),
        ...ter.map(options => corpusTer(hypotheses, each, options)).map(x => ['ter', formatTer(x), x.score] as const),
      ];
      expect(got.map(([kind, line]) => [kind, line])).toEqual(scores.map(([kind, line]) => [kind, line]));
      got.forEach(([, , score], i) => {
        expect(score).toBeCloseTo(scores[i]![2], 9);
      });
    },
  );
});
