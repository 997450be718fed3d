import {
  ArgumentError,
  type Gradients,
  type Parameters,
  type Rng,
  type State,
  stateTensors,
  valueAndGrad,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { globalNorm } from './clipping.ts';
import type { NonFinite } from './fit-events.ts';
import type { Optimizer } from './optimizer.ts';

/** What `loss` may use besides its batch. */
export interface StepContext<Carry> {
  /** Steps done before this one. */
  readonly step: number;
  /** This step's own random stream, for dropout and the like. */
  readonly rng: Rng;
  /** What the step before returned as `state`; undefined in the first step. */
  readonly state: Carry | undefined;
}

/** What `loss` returns. */
export interface StepLoss<Carry> {
  /** float32 scalar. */
  readonly loss: tf.Tensor;
  /** Recurrent state for the next step, where it is a constant. */
  readonly state?: Carry | undefined;
  /** How many tokens the batch had, for the speed that is reported. */
  readonly tokens?: number | undefined;
}

/** A step that is computed and finite, but not made yet. */
interface ReadyStep<Carry> {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly updateNorm: number;
  /** Whether it updates any parameter; not so while gradients are accumulated. */
  readonly updates: boolean;
  readonly tokens: number | undefined;
  readonly state: Carry | undefined;
  commit(): void;
}

/** What `tryStep` computes from. */
interface TryStepOptions<Carry extends State> {
  readonly optimizer: Optimizer;
  /** All parameters of the model. */
  readonly parameters: Parameters;
  readonly loss: (context: StepContext<Carry>) => StepLoss<Carry>;
  readonly context: StepContext<Carry>;
}

/** Computes a step without making it: what `commit` would do, or what is not finite in it. */
export async function tryStep<Carry extends State>({
  optimizer,
  parameters,
  loss: lossOf,
  context,
}: TryStepOptions<Carry>): Promise<ReadyStep<Carry> | { readonly nonFinite: NonFinite }> {
  const { value, gradients, aux } = valueAndGrad(optimizer.parameters, () => {
    const result = lossOf(context);
    if (!(result?.loss instanceof tf.Tensor)) {
      throw new ArgumentError({
        where: 'fit',
        rule: 'loss must return { loss }, with a tensor as loss',
        got: (result as unknown) instanceof tf.Tensor ? 'the tensor itself' : typeof result,
        advice: 'Write `loss: (batch, context) => ({ loss })`; it cannot be async.',
      });
    }
    const { loss, ...rest } = result;
    return { loss, aux: rest };
  });
  let taken = false;
  try {
    const proposal = optimizer.propose(gradients);
    const [loss, gradientNorm, updateNorm] = await readScalars(() => [value, globalNorm(gradients), proposal.norm()]);
    if ([loss, gradientNorm, updateNorm].every(Number.isFinite)) {
      taken = true;
      return {
        loss,
        gradientNorm,
        updateNorm,
        updates: proposal.size > 0,
        tokens: aux.tokens,
        state: aux.state,
        commit: () => {
          try {
            proposal.commit();
          } finally {
            proposal.discard();
          }
        },
      };
    }
    const nonFinite = await findNonFinite(parameters, loss, gradients, proposal.updates);
    proposal.discard();
    return { nonFinite };
  } finally {
    tf.dispose([value, ...gradients.values()]);
    if (!taken) replaceState(aux.state, context.state);
  }
}

/** Three scalars in one transfer from the device. */
async function readScalars(scalars: () => tf.Tensor[]): Promise<[number, number, number]> {
  const stacked = tf.tidy(() => tf.stack(scalars()));
  const values = [...(await stacked.data())] as [number, number, number];
  stacked.dispose();
  return values;
}

/** The first tensor that is not finite, in the order in which one makes the next so. */
async function findNonFinite(
  parameters: Parameters,
  loss: number,
  gradients: Gradients,
  updates: Gradients,
): Promise<NonFinite> {
  const firstIn = async (tensors: Gradients): Promise<string | undefined> => {
    for (const [path, tensor] of tensors) {
      // One number a tensor: x − x is 0 for finite x and NaN otherwise.
      const check = tf.tidy(() => tf.sum(tf.sub(tensor, tensor)));
      const [sum] = await check.data();
      check.dispose();
      if (sum !== 0) return path;
    }
    return undefined;
  };
  const parameter = await firstIn(parameters);
  if (parameter !== undefined) return { kind: 'parameter', path: parameter };
  if (!Number.isFinite(loss)) return { kind: 'loss', path: '' };
  const gradient = await firstIn(gradients);
  if (gradient !== undefined) return { kind: 'gradient', path: gradient };
  const update = await firstIn(updates);
  return update === undefined ? { kind: 'norm', path: '' } : { kind: 'update', path: update };
}

/** Disposes the tensors of `old` that are not also in `next`. */
export function replaceState(old: State | undefined, next: State | undefined): void {
  const kept = new Set(next ? stateTensors(next) : []);
  for (const tensor of old ? stateTensors(old) : []) if (!kept.has(tensor)) tensor.dispose();
}
