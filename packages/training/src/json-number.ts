/** A number as JSON can hold it: `JSON.stringify` would make null of an infinite one. */
export type JsonNumber = number | 'Infinity' | '-Infinity';

/** `value`, with an infinite number by its name. */
export function toJsonNumber(value: number | null): JsonNumber | null {
  return value === Infinity ? 'Infinity' : value === -Infinity ? '-Infinity' : value;
}

/** What `toJsonNumber` was given; undefined when `value` is nothing that it returns. */
export function fromJsonNumber(value: unknown): number | null | undefined {
  if (value === null || typeof value === 'number') return value;
  return value === 'Infinity' || value === '-Infinity' ? Number(value) : undefined;
}
