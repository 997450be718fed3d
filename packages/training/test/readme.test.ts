import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
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

it("runs the README's parameter groups", async () => {
  expect(readme).toContain(`\`\`\`ts\n${source('groups')}\`\`\``);
  const { optimizer } = await import('./readme.groups.example.ts');
  const before = new Map([...optimizer.parameters].map(([path, variable]) => [path, variable.dataSync()]));
  const gradients = new Map([...optimizer.parameters].map(([path, variable]) => [path, tf.onesLike(variable)]));
  optimizer.apply(gradients);
  for (const [path, variable] of optimizer.parameters) {
    const moved = before.get(path)![0]! - variable.dataSync()[0]!;
    expect(moved).toBeCloseTo(path.startsWith('encoder.') ? 1e-4 : 1e-3, 5);
  }
});

it("runs the README's truncated back-propagation", async () => {
  expect(readme).toContain(`\`\`\`ts\n${source('bptt')}\`\`\``);
  const { losses } = await import('./readme.bptt.example.ts');
  expect(losses.length).toBe(20);
});
