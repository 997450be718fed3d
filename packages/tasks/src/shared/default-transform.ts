import { checkChoice, checkNumber, type Module, parameters } from '@ostinato/core';
import { adamw, chain, clipByGlobalNorm, cosine, type GradientTransform } from '@ostinato/training';

/** What of a training's options determines its optimizer. */
export interface OptimizerOptions {
  readonly steps: number;
  readonly learningRate?: number | undefined;
  readonly schedule?: 'constant' | 'cosine' | undefined;
  readonly weightDecay?: number | undefined;
  readonly clipNorm?: number | undefined;
}

/** Adam, with weight decay of matrices, behind a clip of the global norm. Throws ArgumentError when an option does not fit. */
export function defaultTransform(
  where: string,
  { steps, learningRate = 1e-3, schedule = 'constant', weightDecay = 0, clipNorm = 1 }: OptimizerOptions,
  model: Module,
): GradientTransform {
  checkChoice(where, 'schedule', schedule, ['constant', 'cosine']);
  checkNumber(where, 'learningRate', learningRate, { above: 0 });
  checkNumber(where, 'weightDecay', weightDecay, { min: 0 });
  checkNumber(where, 'clipNorm', clipNorm, { min: 0 });
  const matrices = new Set([...parameters(model)].filter(([, { rank }]) => rank > 1).map(([path]) => path));
  const rate = schedule === 'cosine' ? cosine({ rate: learningRate, minimum: learningRate / 20, steps }) : learningRate;
  const update = adamw({ learningRate: rate, weightDecay, mask: path => matrices.has(path) });
  return clipNorm === 0 ? update : chain(clipByGlobalNorm(clipNorm), update);
}
