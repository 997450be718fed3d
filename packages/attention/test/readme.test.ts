import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it("runs the README's example", async () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  expect(read('../README.md')).toContain(`\`\`\`ts\n${read('./readme.example.ts')}\`\`\``);
  const { written } = await import('./readme.example.ts');
  expect(written).toBe('pack my box with five dozen liquor jugs. ');
});
