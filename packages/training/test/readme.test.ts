import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** The code blocks of the README. */
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const source = (name: string): string => readFileSync(new URL(`./readme.${name}.example.ts`, import.meta.url), 'utf8');

it("runs the README's training loop", async () => {
  expect(readme).toContain(`\`\`\`ts\n${source('fit')}\`\`\``);
  const { losses, resume } = await import('./readme.fit.example.ts');
  expect(losses.length).toBe(2);
  expect(losses[1]).toBeLessThan(0.01);
  expect(resume).toMatchObject({ step: 200, cursor: 200 });
});

it("runs the README's truncated back-propagation", async () => {
  expect(readme).toContain(`\`\`\`ts\n${source('bptt')}\`\`\``);
  const { losses } = await import('./readme.bptt.example.ts');
  expect(losses.length).toBe(20);
});
