import * as jax from '@jax-js/jax';
import { fastestWithin } from '../report.ts';

/**
 * jax-js on its WebAssembly device, the best it has in Node. A result counts once its values are there, as ours does. It has no
 * scan, so that a recurrence of 100 steps would be compiled as 100 copies: it takes part in products and elementwise work.
 */
const { init, jit, numpy, random } = jax;

async function milliseconds(
  shapes: readonly number[][],
  run: (...inputs: jax.Array[]) => jax.Array,
  budget: number,
): Promise<number> {
  await init();
  const compiled = jit(run);
  const inputs = shapes.map((shape, i) => random.uniform(random.key(i), shape));
  // Operations use their inputs up; `ref` keeps one more use of each.
  const best = await fastestWithin(budget, async () => {
    const result = compiled(...inputs.map(input => input.ref));
    await result.blockUntilReady();
    result.dispose();
  });
  for (const input of inputs) input.dispose();
  return best;
}

/** Milliseconds of a product; a transposed factor is given as it is stored. */
export function jaxMatmul(
  { batch, m, k, n, form }: { batch: number; m: number; k: number; n: number; form: string },
  budget: number,
): Promise<number> {
  const shapes = [
    [batch, ...(form[0] === 't' ? [k, m] : [m, k])],
    [batch, ...(form[1] === 't' ? [n, k] : [k, n])],
  ];
  const turned = (x: jax.Array, transposed: boolean): jax.Array => (transposed ? numpy.matrixTranspose(x) : x);
  return milliseconds(shapes, (a, b) => numpy.matmul(turned(a!, form[0] === 't'), turned(b!, form[1] === 't')), budget);
}
