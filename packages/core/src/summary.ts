import { type Module, parameters } from './module.ts';

/** One row of a `Summary`. */
export interface SummaryRow {
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Number of values. */
  readonly size: number;
  /** False for frozen parameters (`tf.Variable.trainable`), which `valueAndGrad` gives no gradient. */
  readonly trainable: boolean;
}

/** The parameters of a model as data; `toString()` is a table. */
export interface Summary {
  readonly rows: readonly SummaryRow[];
  /** Number of all values. */
  readonly total: number;
  readonly trainable: number;
  /** Bytes of all parameters. */
  readonly bytes: number;
  toString(): string;
}

const count = (n: number): string => n.toLocaleString('en-US');

/** Lists a model's parameters with shape, dtype and size: `console.log(String(summary(model)))`. */
export function summary(root: Module): Summary {
  const rows: SummaryRow[] = [...parameters(root)].map(([path, variable]) => ({
    path,
    shape: variable.shape,
    dtype: variable.dtype,
    size: variable.size,
    trainable: variable.trainable,
  }));
  const total = rows.reduce((sum, row) => sum + row.size, 0);
  const trainable = rows.reduce((sum, row) => sum + (row.trainable ? row.size : 0), 0);
  const bytes = 4 * total;
  return {
    rows,
    total,
    trainable,
    bytes,
    toString() {
      const cells = [
        ['parameter', 'shape', 'size'],
        ...rows.map(row => [
          row.path,
          `[${row.shape.join(', ')}]`,
          count(row.size) + (row.trainable ? '' : ' (frozen)'),
        ]),
      ];
      const widths = [0, 1, 2].map(column => Math.max(...cells.map(line => line[column]!.length)));
      const lines = cells.map(([path, shape, size]) =>
        [path!.padEnd(widths[0]!), shape!.padEnd(widths[1]!), size!.padStart(widths[2]!)].join('  ').trimEnd(),
      );
      return [
        ...lines,
        `${count(total)} values, ${count(trainable)} trainable, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
      ].join('\n');
    },
  };
}
