import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { coursePages, refresh } from '../../benchmarks/course-pages.ts';

describe.each(coursePages())('$path', ({ path, text }) => {
  it('shows lines of the source as they are; else run `pnpm bench course`', () => {
    expect(refresh(text)).toBe(text);
    // A block in the language of the sources comes from them.
    expect(text.match(/```typescript/g)?.length ?? 0).toBe(text.match(/<!-- source: /g)?.length ?? 0);
  });

  it('has the pictures and pages that it links to', () => {
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(match => match[1]!);
    expect(links.filter(link => !existsSync(resolve(dirname(path), link)))).toEqual([]);
  });
});

it('finds what is no longer in the source', () => {
  const gone = '<!-- source: packages/core/src/linear.ts, from `no such line` to `}` -->\n```typescript\n```';
  expect(() => refresh(gone)).toThrow('packages/core/src/linear.ts has no lines from `no such line` to `}`.');
});
