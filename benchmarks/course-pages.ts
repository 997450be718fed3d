// The pages of docs/course and the lines of source that they show. A page says where a block comes from:
//   <!-- source: packages/core/src/linear.ts, from `const product` to `};` -->
// and the block behind that comment holds those lines, both included, as they are in the source.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const folder = join(root, 'docs/course');

/** A page of the course. */
export interface CoursePage {
  readonly path: string;
  readonly text: string;
}

/** All pages, in the order of the course. */
export function coursePages(): CoursePage[] {
  const names = readdirSync(folder).filter(name => name.endsWith('.md'));
  return names.sort().map(name => ({ path: join(folder, name), text: readFileSync(join(folder, name), 'utf8') }));
}

/** The words of the course, without code: an English text to learn from. */
export function pageTexts(): string {
  const readmes = ['README.md', 'docs/engine.md', 'docs/gradients-through-time.md', 'CONTRIBUTING.md'].map(name =>
    readFileSync(join(root, name), 'utf8'),
  );
  return [...coursePages().map(({ text }) => text), ...readmes]
    .map(text => text.replaceAll(/```[\s\S]*?```/g, ''))
    .join('\n');
}

const block = /<!-- source: (\S+), from `([^`]+)` to `([^`]+)` -->\n```typescript\n[\s\S]*?```/g;

/** The page with its blocks as the source is now. Throws where the source has no such lines. */
export function refresh(text: string): string {
  return text.replaceAll(block, (_, path: string, from: string, to: string) => {
    const lines = readFileSync(join(root, path), 'utf8').split('\n');
    const first = lines.findIndex(line => line.includes(from));
    const last = lines.findIndex((line, i) => i >= first && line.includes(to));
    if (first < 0 || last < 0) throw new Error(`${path} has no lines from \`${from}\` to \`${to}\`.`);
    const shown = lines.slice(first, last + 1);
    const indent = Math.min(...shown.filter(line => line.trim() !== '').map(line => line.search(/\S/)));
    const code = shown.map(line => line.slice(indent)).join('\n');
    return `<!-- source: ${path}, from \`${from}\` to \`${to}\` -->\n\`\`\`typescript\n${code}\n\`\`\``;
  });
}
