import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it("runs the README's example", async () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  expect(read('../README.md')).toContain(`\`\`\`ts\n${read('./readme.example.ts')}\`\`\``);
  const { value, gradient } = await import('./readme.example.ts');
  expect(Math.abs(value - Math.log(50))).toBeLessThan(0.5);
  expect(gradient.shape).toEqual([16, 64]);
});
