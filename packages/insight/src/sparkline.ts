import { checkNumber } from '@ostinato/core';

const bars = '▁▂▃▄▅▆▇█';

/**
 * A curve in one line of text, for terminals: `▇▅▄▃▂▂▁▁`. More values than `width` are averaged in groups; a group
 * without a finite value is a space.
 *
 * @param width greatest number of characters, at least 1. Default 40
 * @throws ArgumentError when width is no positive integer
 */
export function sparkline(values: readonly number[], { width = 40 }: { width?: number | undefined } = {}): string {
  checkNumber('sparkline', 'width', width, { integer: true, min: 1 });
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.floor(((column + 1) * values.length) / columns);
    const group = values.slice(from, to).filter(Number.isFinite);
    return group.reduce((sum, value) => sum + value, 0) / group.length; // NaN when the group is empty
  });
  const finite = means.filter(Number.isFinite);
  const low = Math.min(...finite);
  const range = Math.max(...finite) - low;
  const bar = (mean: number): string => bars[range === 0 ? 0 : Math.round(((mean - low) / range) * (bars.length - 1))]!;
  return means.map(mean => (Number.isFinite(mean) ? bar(mean) : ' ')).join('');
}
