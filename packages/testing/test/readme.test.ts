import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it("runs the README's example", async () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  expect(read('../README.md')).toContain(`\`\`\`ts\n${read('./readme.example.ts')}\`\`\``);
  const { error, checked, close, names, inputs, targets, shape } = await import('./readme.example.ts');
  expect({ checked, close, names, shape }).toEqual({
    checked: 12,
    close: true,
    names: ['Sigmoid', 'Multiply'],
    shape: [16, 100, 2],
  });
  expect(error).toBeLessThan(1e-3);
  expect([inputs.length, targets.length]).toEqual([16 * 100 * 2, 16]);
});
