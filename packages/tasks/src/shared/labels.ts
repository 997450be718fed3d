import { ArgumentError } from '@ostinato/core';

/** @throws ArgumentError unless there are two labels or more, all different texts that are not empty */
export function checkLabels(where: string, labels: readonly string[]): void {
  const fits =
    Array.isArray(labels) &&
    labels.length >= 2 &&
    new Set(labels).size === labels.length &&
    labels.every(label => typeof label === 'string' && label !== '');
  if (fits) return;
  const rule = 'labels must be at least 2 texts, all different and not empty';
  throw new ArgumentError({ where, rule, got: JSON.stringify(labels) ?? 'none' });
}
