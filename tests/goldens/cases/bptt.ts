import { type Cell, linear, Module, parameters, type State } from '@ostinato/core';
import { embeddingLookup } from '@ostinato/ops';
import { LSTM, type LSTMState } from '@ostinato/recurrent';
import {
  crossEntropy,
  type GradientThroughTimeOptions,
  gradientThroughTime,
  type Probe,
  type RecurrentModel,
  type ResetMask,
  truncatedBptt,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, type Comparison, type Golden, type GoldenTensor, numbers, tensor } from '../golden.ts';

/** Window `w` as the files have it. */
interface GoldenWindow {
  readonly loss: GoldenTensor;
  readonly gradients: Record<string, GoldenTensor>;
  readonly h_end?: GoldenTensor;
  readonly c_end?: GoldenTensor;
}

type LstmStates = readonly LSTMState[];

/** Embedding, LSTM and output layer with the weights of a PyTorch model. */
class LanguageModel extends Module implements RecurrentModel<LstmStates> {
  readonly table: tf.Variable;
  readonly lstm: LSTM;
  readonly outputWeight: tf.Variable;
  readonly outputBias: tf.Variable;

  constructor(golden: Golden) {
    super();
    const { embedding, hidden } = golden.config as unknown as { embedding: number; hidden: number };
    const given = (name: string): tf.Tensor => tensor(golden.parameters[name]!);
    this.table = tf.variable(given('embedding.weight'));
    this.lstm = new LSTM({ inputSize: embedding, hiddenSize: hidden });
    const cell = this.lstm.layers[0]!.forward;
    cell.inputWeight.assign(tf.transpose(given('lstm.weight_ih_l0')) as tf.Tensor);
    cell.recurrentWeight.assign(tf.transpose(given('lstm.weight_hh_l0')) as tf.Tensor);
    cell.bias!.assign(tf.add(given('lstm.bias_ih_l0'), given('lstm.bias_hh_l0')));
    this.outputWeight = tf.variable(tf.transpose(given('out.weight')));
    this.outputBias = tf.variable(given('out.bias'));
  }

  call(
    ids: tf.Tensor,
    { state, resets }: { state?: LstmStates | undefined; resets?: ResetMask | undefined },
  ): { output: tf.Tensor; state: LstmStates } {
    const embedded = embeddingLookup({ table: this.table, ids });
    const { output, state: next } = this.lstm.call(embedded, { state, resets });
    return { output: linear(output, this.outputWeight, this.outputBias), state: next };
  }
}

/** Our paths under PyTorch's names; true where PyTorch has the transpose. */
const torchNames: Record<string, [path: string, transposed: boolean]> = {
  'embedding.weight': ['table', false],
  'lstm.weight_ih_l0': ['lstm.layers.0.forward.inputWeight', true],
  'lstm.weight_hh_l0': ['lstm.layers.0.forward.recurrentWeight', true],
  'lstm.bias_ih_l0': ['lstm.layers.0.forward.bias', false],
  'lstm.bias_hh_l0': ['lstm.layers.0.forward.bias', false],
  'out.weight': ['outputWeight', true],
  'out.bias': ['outputBias', false],
};

function compareGradients(
  label: string,
  gradients: ReadonlyMap<string, tf.Tensor>,
  wanted: Record<string, GoldenTensor>,
): Comparison[] {
  return Object.entries(wanted).map(([name, want]) => {
    const [path, transposed] = torchNames[name]!;
    const gradient = gradients.get(path)!;
    const got = (transposed ? tf.transpose(gradient) : gradient).dataSync();
    return { name: `${label} d ${name}`, got, want: numbers(want) };
  });
}

function runLanguageModel(golden: Golden): CaseResult {
  const model = new LanguageModel(golden);
  const ids = tensor(golden.inputs['ids']!);
  const [batch, length] = ids.shape as [number, number];
  const steps = length - 1;
  const labels = tf.slice(ids, [0, 1], [batch, steps]);
  const differences: Comparison[] = [];

  const run = (k1: number, k2: number, wanted: readonly [label: string, want: GoldenWindow][]): void => {
    const resets = golden.inputs['reset'] && numbers(golden.inputs['reset']);
    const options = {
      model,
      parameters: parameters(model),
      input: tf.slice(ids, [0, 0], [batch, steps]),
      k1,
      k2,
      resets,
    };
    const loss = (logits: tf.Tensor, { lossStart, end }: { lossStart: number; end: number }): tf.Tensor =>
      crossEntropy({ logits, labels: tf.slice(labels, [0, lossStart], [batch, end - lossStart]) });
    let index = 0;
    for (const { value, gradients, state } of truncatedBptt({ ...options, loss })) {
      const [label, want] = wanted[index++]!;
      differences.push({ name: `${label} loss`, got: value.dataSync(), want: numbers(want.loss) });
      differences.push(...compareGradients(label, gradients, want.gradients));
      if (want.h_end && want.c_end) {
        const { hidden, cell } = state![0]!;
        differences.push({ name: `${label} h`, got: hidden.dataSync(), want: numbers(want.h_end) });
        differences.push({ name: `${label} c`, got: cell.dataSync(), want: numbers(want.c_end) });
      }
      tf.dispose([value, ...gradients.values()]);
    }
    differences.push({ name: 'number of windows', got: [index], want: [wanted.length] });
  };

  const { k1, k2 } = golden.config as unknown as { k1?: number; k2?: number };
  const outputs = golden.outputs as unknown as Record<string, GoldenWindow>;
  if (k1 !== undefined && k2 !== undefined) {
    run(
      k1,
      k2,
      Object.entries(outputs).filter(([name]) => name.startsWith('window_')),
    );
    if (outputs['full_bptt']) run(steps, steps, [['full_bptt', outputs['full_bptt']]]);
  } else {
    const { loss, h_n, c_n } = golden.outputs;
    run(steps, steps, [['whole', { loss: loss!, gradients: golden.gradients.parameters!, h_end: h_n!, c_end: c_n! }]]);
  }
  model.dispose();
  return { differences };
}

type Nodes = { readonly [name: string]: State & tf.Tensor };

/** The step of a case, with its nodes marked where they come into being. */
function stepOf(golden: Golden): (input: tf.Tensor, state: Nodes, probe: Probe) => { output: tf.Tensor; state: Nodes } {
  const kind = (golden.config as unknown as { cell: string }).cell;
  const inputWeight = tf.keep(tf.transpose(tensor(golden.parameters['weight_ih']!)));
  const recurrentWeight = tf.keep(tf.transpose(tensor(golden.parameters['weight_hh']!)));
  const bias = tf.keep(tensor(golden.parameters['bias']!));
  return (input, { hidden, cell }, probe) => {
    const sum = tf.add(tf.add(tf.matMul(input, inputWeight), tf.matMul(hidden!, recurrentWeight)), bias); // [B, gates·H]
    if (kind.startsWith('rnn')) {
      const output = probe('hidden', kind === 'rnn_linear' ? sum : tf.tanh(sum));
      return { output, state: { hidden: output as Nodes[string] } };
    }
    const [i, f, g, o] = tf.split(sum, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const next = probe('cell', tf.add(tf.mul(tf.sigmoid(f), cell!), tf.mul(tf.sigmoid(i), tf.tanh(g))));
    const output = probe('hidden', tf.mul(tf.sigmoid(o), tf.tanh(next)));
    return { output, state: { hidden: output as Nodes[string], cell: next as Nodes[string] } };
  };
}

async function runThroughTime(golden: Golden): Promise<CaseResult> {
  const { hidden, cell: kind } = golden.config as unknown as { hidden: number; cell: string };
  const cotangent = tensor(golden.cotangents['h_last']!);
  const zeros = (batch: number): Nodes[string] => tf.zeros([batch, hidden]) as Nodes[string];
  const cell: Pick<Cell<Nodes>, 'initialState'> = {
    initialState: batch =>
      kind.startsWith('lstm') ? { hidden: zeros(batch), cell: zeros(batch) } : { hidden: zeros(batch) },
  };
  let last: ArrayLike<number> = [];
  const options: GradientThroughTimeOptions<Nodes> = {
    cell,
    step: stepOf(golden),
    input: tensor(golden.inputs['x']!),
    loss: (_, state) => {
      last = state['hidden']!.dataSync();
      return tf.sum(tf.mul(state['hidden']!, cotangent));
    },
  };
  const { norms } = await gradientThroughTime(options);
  const { norm_dh, norm_dc, h_last } = golden.outputs;
  const differences = [
    { name: 'h_last', got: last, want: numbers(h_last!) },
    { name: 'norm_dh', got: norms.get('hidden')!, want: numbers(norm_dh!) },
  ];
  if (norm_dc) differences.push({ name: 'norm_dc', got: norms.get('cell')!, want: numbers(norm_dc) });
  return { differences };
}

/** Cases of the folder `bptt`. */
export async function runBpttCase(golden: Golden): Promise<CaseResult> {
  if (golden.name.includes('gradient_through_time')) return runThroughTime(golden);
  return runLanguageModel(golden);
}
