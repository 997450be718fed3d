import { ArgumentError } from '@ostinato/core';
import type { CaptionedPicture, PictureValues } from './examples.ts';

/** The caption that occurs most often, of equals the first; what says it of every picture is the least to beat. */
export function mostFrequentCaption(examples: readonly CaptionedPicture[]): string {
  const counts = new Map<string, number>();
  for (const text of examples.flatMap(({ captions }) => captions)) counts.set(text, (counts.get(text) ?? 0) + 1);
  let best: [string, number] | undefined;
  for (const entry of counts) if (best === undefined || entry[1] > best[1]) best = entry;
  if (best) return best[0];
  throw new ArgumentError({ where: 'mostFrequentCaption', rule: 'there must be a caption', got: 'none' });
}

/**
 * The first caption of the known picture that is nearest in pixels: least sum of squared differences.
 *
 * @throws ArgumentError when there is no example, or a picture has another size
 */
export function nearestNeighbourCaptions(
  pictures: readonly PictureValues[],
  examples: readonly CaptionedPicture[],
): string[] {
  const where = 'nearestNeighbourCaptions';
  if (examples.length === 0) throw new ArgumentError({ where, rule: 'there must be an example', got: 'none' });
  return pictures.map((picture, i) => {
    let [best, least] = [examples[0]!, Infinity];
    for (const example of examples) {
      if (example.values.length !== picture.length) {
        const [expected, got] = [`${example.values.length} values`, `${picture.length}`];
        throw new ArgumentError({
          where,
          rule: `picture ${i} must be as large as those of the examples`,
          expected,
          got,
        });
      }
      let sum = 0;
      for (let k = 0; k < picture.length && sum < least; k++) sum += (picture[k]! - example.values[k]!) ** 2;
      if (sum < least) [best, least] = [example, sum];
    }
    return best.captions[0]!;
  });
}
