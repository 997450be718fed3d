import {
  cosine,
  cosineWarmRestarts,
  cyclic,
  exponential,
  inverseSquareRoot,
  linear,
  multiStep,
  noam,
  oneCycle,
  Plateau,
  polynomial,
  type Schedule,
  stepDecay,
  warmup,
} from '@ostinato/training';
import { type CaseResult, type Golden, numbers } from '../golden.ts';

type Config = Record<string, number> & {
  milestones: number[];
  mode: string;
  threshold_mode: string;
  anneal_strategy: string;
  three_phase: boolean;
};
type Build = (config: Config, rate: number) => Schedule;

const builders: Record<string, Build> = {
  cosine_annealing: ({ T_max, eta_min }, rate) =>
    cosine({ rate, steps: T_max!, minimum: eta_min!, afterwards: 'rise' }),
  cosine_warm_restarts: ({ T_0, T_mult, eta_min }, rate) =>
    cosineWarmRestarts({ rate, period: T_0!, multiplier: T_mult!, minimum: eta_min! }),
  cyclic_triangular2: ({ base_lr, max_lr, step_size_up }) =>
    cyclic({ low: base_lr!, high: max_lr!, rise: step_size_up!, halve: true }),
  exponential: ({ gamma }, rate) => exponential({ rate, factor: gamma! }),
  inverse_sqrt: ({ warmup_updates }, rate) => inverseSquareRoot({ rate, warmup: warmup_updates! }),
  linear: ({ start_factor, end_factor, total_iters }, rate) =>
    linear({ from: rate * start_factor!, to: rate * end_factor!, steps: total_iters! }),
  multi_step: ({ milestones, gamma }, rate) => multiStep({ rate, milestones, factor: gamma! }),
  noam: ({ d_model, warmup_steps, factor }) => noam({ size: d_model!, warmup: warmup_steps!, factor: factor! }),
  polynomial: ({ total_iters, power }, rate) => polynomial({ rate, steps: total_iters!, power: power! }),
  step: ({ step_size, gamma }, rate) => stepDecay({ rate, every: step_size!, factor: gamma! }),
  warmup_cosine: ({ warmup_steps, total_steps }, rate) => {
    const steps = total_steps! - warmup_steps!;
    return warmup(warmup_steps!, cosine({ rate, steps, afterwards: 'rise' }), { offset: 0 });
  },
  warmup_cosine_min: ({ warmup_iters, lr_decay_iters, min_lr }, rate) => {
    const steps = lr_decay_iters! - warmup_iters!;
    return warmup(warmup_iters!, cosine({ rate, steps, minimum: min_lr! }));
  },
  warmup_linear: ({ warmup_steps, total_steps }, rate) => {
    const steps = total_steps! - warmup_steps!;
    return warmup(warmup_steps!, linear({ from: rate, to: 0, steps }), { offset: 0 });
  },
};

/** Cases of the folder `schedules`: 40 learning rates each. */
export function runSchedulesCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  const config = golden.config as unknown as Config;
  const steps = Array.from({ length: golden.outputs['values']!.data.length }, (_, step) => step);
  const compare = (output: string, schedule: Schedule): { name: string; got: number[]; want: number[] } => ({
    name: output,
    got: steps.map(schedule),
    want: numbers(golden.outputs[output]!),
  });
  if (name.startsWith('plateau')) return { differences: [compare('values', plateau(config, golden))] };
  if (name.startsWith('one_cycle')) {
    const { max_lr, div_factor, final_div_factor, base_momentum, max_momentum, total_steps, pct_start } = config;
    const initial = max_lr! / div_factor!;
    const shared = {
      steps: total_steps!,
      riseFraction: pct_start!,
      shape: config.anneal_strategy === 'cos' ? ('cosine' as const) : ('linear' as const),
      threePhases: config.three_phase,
    };
    const rate = oneCycle({ ...shared, initial, peak: max_lr!, final: initial / final_div_factor! });
    const momentum = oneCycle({ ...shared, initial: max_momentum!, peak: base_momentum!, final: max_momentum! });
    return { differences: [compare('values', rate), compare('momentum', momentum)] };
  }
  return builders[name]
    ? { differences: [compare('values', builders[name](config, config['lr']!))] }
    : { skipped: name };
}

function plateau(config: Config, golden: Golden): Schedule {
  const metrics = numbers(golden.inputs['metric']!);
  const schedule = new Plateau({
    rate: config['lr']!,
    factor: config['factor']!,
    patience: config['patience']!,
    mode: config.mode as 'min' | 'max',
    threshold: config['threshold']!,
    thresholdMode: config.threshold_mode === 'rel' ? 'relative' : 'absolute',
    cooldown: config['cooldown']!,
    minimum: config['min_lr']!,
  });
  return step => {
    const rate = schedule.schedule(step);
    schedule.observe(metrics[step]!);
    return rate;
  };
}
