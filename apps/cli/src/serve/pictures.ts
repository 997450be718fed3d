import { caption, type LoadedCaptioner, type PictureValues, pictureValues } from '@ostinato/tasks/captioning';
import { decodePicture } from '@ostinato/tasks/captioning/node';
import { badInput } from '../failure.ts';
import { type Job, nobodyWaits } from './batcher.ts';
import type { Service } from './service.ts';

interface CaptionRequest {
  /** Files. */
  readonly pictures: readonly Uint8Array[];
  readonly beamSize: number;
  readonly count: number;
  readonly attention: boolean;
}

const base64 = /^(?:data:[^,]*;base64,)?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/;

/** `POST /v1/caption`: what pictures show. */
export function captioningService({ model, tokenizer }: LoadedCaptioner): Service<CaptionRequest> {
  const { side } = model.config;
  const decode = async ({ pictures }: CaptionRequest): Promise<PictureValues[]> => {
    const values: PictureValues[] = [];
    for (const [i, bytes] of pictures.entries()) {
      const longest = Math.max(512, 4 * side);
      values.push(pictureValues(await decodePicture(bytes, { longest, name: `picture ${i}` }), side));
    }
    return values;
  };
  return {
    ...{ task: 'captioning', path: '/v1/caption', model: model.config, streams: false },
    parse(fields, { maximumTexts }) {
      const pictures = fields.texts('pictures', { maximumTexts, maximumLength: Infinity }).map((text, i) => {
        const [, bytes] = base64.exec(text) ?? [];
        if (bytes) return Buffer.from(bytes, 'base64');
        throw badInput('request', `picture ${i} must be a file in base64`, JSON.stringify(text.slice(0, 20)));
      });
      const beamSize = fields.number('beamSize', { integer: true, min: 1, max: 20 }) ?? 5;
      const count = fields.number('count', { integer: true, min: 1, max: beamSize }) ?? 1;
      return { pictures, beamSize, count, attention: fields.flag('attention') };
    },
    kind: ({ beamSize, count, attention }) => `${beamSize} ${count} ${attention}`,
    async run(jobs) {
      const readable: { readonly job: Job<CaptionRequest>; readonly values: PictureValues[] }[] = [];
      for (const job of jobs) {
        try {
          readable.push({ job, values: await decode(job.request) });
        } catch (error) {
          job.fail(error);
        }
      }
      if (readable.length === 0) return;
      const { beamSize, count, attention } = jobs[0]!.request;
      const signal = nobodyWaits(readable.map(({ job }) => job));
      const pictures = readable.flatMap(({ values }) => values);
      const results = await caption({ model, tokenizer, pictures, beamSize, count, attention, signal });
      let first = 0;
      for (const { job, values } of readable) {
        job.finish({ results: results.slice(first, first + values.length) });
        first += values.length;
      }
    },
    dispose: () => model.dispose(),
  };
}
