import type { Parameters } from '@ostinato/core';
import type { Checkpoint, WeightAverage } from '@ostinato/training';
import type { SafeTensor } from '@ostinato/weights';
import * as tf from '@tensorflow/tfjs-core';

/** Path, in a checkpoint, of the flag that says whether there has been a validation, and prefix of the values that it found best. */
const flag = 'best';
const prefix = 'best.';

/** Which weights a run leaves behind: those of its best validation, else their moving average, else the last. */
export class FinalWeights {
  readonly #own: Parameters;
  readonly #average: WeightAverage | undefined;
  /** Values of the best validation: Variables, so that a checkpoint holds them. Empty without validation. */
  readonly #best: ReadonlyMap<string, tf.Variable>;
  readonly #found: tf.Variable | undefined;

  constructor(
    own: Parameters,
    { average, validated }: { readonly average: WeightAverage | undefined; readonly validated: boolean },
  ) {
    this.#own = own;
    this.#average = average;
    this.#best = new Map(validated ? [...own].map(([path, parameter]) => [path, tf.variable(parameter, false)]) : []);
    const zero = tf.scalar(0);
    this.#found = validated ? tf.variable(zero, false) : undefined;
    zero.dispose();
  }

  /** What `fit` saves as parameters. */
  get saved(): Parameters {
    if (!this.#found) return this.#own;
    const kept = [...this.#best].map(([path, variable]) => [prefix + path, variable] as const);
    return new Map([...this.#own, ...kept, [flag, this.#found]]);
  }

  /** Takes note of the present values, or their averages, as the best. */
  keep(): void {
    const values: ReadonlyMap<string, tf.Tensor> = this.#average?.state() ?? this.#own;
    for (const [path, kept] of this.#best) kept.assign(values.get(path)!);
    const one = tf.scalar(1);
    this.#found?.assign(one);
    one.dispose();
  }

  /** Gives them to the model. */
  giveBack(): void {
    const found = this.#found !== undefined && this.#found.dataSync()[0] === 1;
    const values: ReadonlyMap<string, tf.Tensor> = found ? this.#best : (this.#average?.state() ?? this.#own);
    if (values === this.#own) return;
    for (const [path, parameter] of this.#own) parameter.assign(values.get(path)!);
  }

  dispose(): void {
    tf.dispose([...this.#best.values()]);
    this.#found?.dispose();
  }
}

/** The weights that a run would leave behind if it ended at its checkpoint. */
export function finalWeights({ parameters, average }: Checkpoint): ReadonlyMap<string, SafeTensor> {
  const own = new Map([...parameters].filter(([path]) => path !== flag && !path.startsWith(prefix)));
  if (parameters.get(flag)?.data[0] === 1) {
    return new Map([...own.keys()].map(path => [path, parameters.get(prefix + path)!]));
  }
  return average ?? own;
}
