import { formatBleu } from '@ostinato/metrics';
import { type CaptionerEvaluation, evaluate } from '@ostinato/tasks/captioning';
import { loadCaptioner, type PictureFile } from '@ostinato/tasks/captioning/node';
import { type CommonOptions, startEngine } from '../common.ts';
import { listenForInterrupt } from '../interrupt.ts';
import type { Output } from '../output.ts';
import { captionTable, readPictures } from '../picture-data.ts';
import type { Measured } from '../task-session.ts';

/** Options of `ostinato evaluate` for captioners. */
interface EvaluateCaptioningOptions extends CommonOptions {
  readonly data: string;
  readonly beam: number;
}

/** Measures a captioner on a folder of pictures. */
export async function evaluateCaptioning(
  output: Output,
  path: string,
  options: EvaluateCaptioningOptions,
): Promise<void> {
  captionTable('--data', options.data);
  await startEngine(output, options);
  const interrupt = listenForInterrupt(() => undefined);
  try {
    const { model, tokenizer, details } = await loadCaptioner(path);
    const { reading } = (details ?? {}) as { readonly reading?: { readonly columns?: readonly [string, string] } };
    const { side } = model.config;
    const examples = await readPictures(output, '--data', options.data, { side, columns: reading?.columns });
    const { signal } = interrupt;
    const found = await evaluate({ model, tokenizer, examples, beamSize: options.beam, signal });
    const { lines, fields } = captioningMeasured(examples, found);
    output.line();
    for (const line of lines) output.line(line);
    output.event({ event: 'result', ...fields });
  } finally {
    interrupt.release();
  }
}

/** What `ostinato evaluate` and the end of a training say of a captioner, with five captions. */
export function captioningMeasured(
  pictures: readonly PictureFile[],
  { bleu, chrf, cider, nats, captions }: CaptionerEvaluation,
): Measured {
  const samples = pictures
    .slice(0, 5)
    .map(({ captions: known }, i) => `  ${captions[i]!.text}  (${known.join(' | ')})`);
  return {
    lines: [
      `CIDEr-D ${cider.toFixed(3)}   ${formatBleu(bleu)}   chrF ${chrf.toFixed(2)}   ${nats.toFixed(3)} nats   (${pictures.length} pictures)`,
      ...samples,
    ],
    fields: { cider, bleu: bleu.score, signature: bleu.signature, chrf, nats, pictures: pictures.length },
  };
}
