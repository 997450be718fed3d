import { checkChoice, checkNumber, type Module, parameters } from '@ostinato/core';
import { adamw, chain, clipByGlobalNorm, constant, cosine, type GradientTransform, warmup } from '@ostinato/training';

/** What of a training's options determines its optimizer. */
export interface OptimizerOptions {
  readonly steps: number;
  readonly learningRate?: number | undefined;
  readonly schedule?: 'constant' | 'cosine' | undefined;
  /** Share of learningRate at the last step of a cosine. Default 1/20. */
  readonly finalRate?: number | undefined;
  /** Steps of rise before the schedule. Default 0. */
  readonly warmup?: number | undefined;
  /** Default 0.999. */
  readonly beta2?: number | undefined;
  readonly weightDecay?: number | undefined;
  readonly clipNorm?: number | undefined;
}

/** Adam, with weight decay of matrices, behind a clip of the global norm. Throws ArgumentError when an option does not fit. */
export function defaultTransform(where: string, options: OptimizerOptions, model: Module): GradientTransform {
  const { steps, learningRate = 1e-3, schedule = 'constant', finalRate = 1 / 20 } = options;
  const { warmup: rise = 0, beta2, weightDecay = 0, clipNorm = 1 } = options;
  checkChoice(where, 'schedule', schedule, ['constant', 'cosine']);
  checkNumber(where, 'learningRate', learningRate, { above: 0 });
  checkNumber(where, 'finalRate', finalRate, { min: 0, max: 1 });
  checkNumber(where, 'warmup', rise, { integer: true, min: 0, below: Math.max(1, steps) });
  checkNumber(where, 'weightDecay', weightDecay, { min: 0 });
  checkNumber(where, 'clipNorm', clipNorm, { min: 0 });
  const matrices = new Set([...parameters(model)].filter(([, { rank }]) => rank > 1).map(([path]) => path));
  const then =
    schedule === 'cosine'
      ? cosine({ rate: learningRate, minimum: learningRate * finalRate, steps: steps - rise })
      : constant(learningRate);
  const rate = rise === 0 ? then : warmup(rise, then);
  const update = adamw({ learningRate: rate, beta2, weightDecay, mask: path => matrices.has(path) });
  return clipNorm === 0 ? update : chain(clipByGlobalNorm(clipNorm), update);
}
