import { NonFiniteError } from '@ostinato/core';
import type { Checkpoint, FitEvent, NonFinite, StepEvent, ValidationEvent } from '@ostinato/training';
import { saveCheckpoint } from '@ostinato/training/node';
import { writeLossPlot } from './loss-plot.ts';
import type { Output } from './output.ts';
import { progressBar, progressDuration } from './progress.ts';
import { appendLog, createFolder, type LogEntry, type RunFolder, rewindLog } from './run-folder.ts';

/** Options of `runTask`. */
export interface TaskRunOptions {
  readonly output: Output;
  readonly folder: RunFolder;
  /** Heading of the loss curve. */
  readonly title: string;
  /** Steps done before. */
  readonly first: number;
  /** Steps between reports. */
  readonly logEvery: number;
  /** Unit of the loss, for the picture: `nats per text`. */
  readonly unit: string;
  /** Begins the training. */
  readonly train: (save: (checkpoint: Checkpoint) => Promise<void>) => AsyncGenerator<FitEvent, void>;
}

/** How a run ended. */
export interface TaskRunResult {
  readonly step: number;
  readonly reason: 'finished' | 'early' | 'interrupted';
  readonly log: readonly LogEntry[];
}

/** Runs the training of a task that reports as `fit` does: progress, log, checkpoints, loss curve. */
export async function runTask(options: TaskRunOptions): Promise<TaskRunResult> {
  const { output, folder, title, first, logEvery, unit, train } = options;
  const log = await rewindLog(folder, first === 0 ? -1 : first);
  const note = async (entry: LogEntry): Promise<void> => {
    log.push(entry);
    output.event(entry);
    await createFolder(folder);
    await appendLog(folder, entry);
  };
  let recent: StepEvent[] = [];
  let validation: ValidationEvent['metrics'] | undefined;
  let [step, steps] = [first, first];
  let reason: TaskRunResult['reason'] = 'finished';

  const report = async (): Promise<void> => {
    const { learningRate, gradientNorm, tokensPerSecond, secondsLeft } = recent.at(-1)!;
    const loss = recent.reduce((sum, event) => sum + event.loss, 0) / recent.length;
    recent = [];
    await note({ event: 'step', step, loss, learningRate, gradientNorm, tokensPerSecond });
    const total = steps.toLocaleString('en-US');
    const facts = [
      `step ${step.toLocaleString('en-US').padStart(total.length)}/${total}`,
      progressBar(step / steps),
      `loss ${loss.toFixed(3)}`,
      metricsText(validation),
      `${progressDuration(secondsLeft)} left`,
    ];
    output.progress(facts.filter(Boolean).join('  '));
  };

  const events = train(async checkpoint => {
    await createFolder(folder);
    await saveCheckpoint(folder.checkpoint, checkpoint);
  });
  for await (const event of events) {
    step = event.step;
    if (event.event === 'start') {
      steps = event.steps;
      if (step === steps) output.line(`nothing to train: the run has taken all its ${steps} steps\n`);
    } else if (event.event === 'step') {
      recent.push(event);
      if (step % logEvery === 0 || step === first + 1 || step === steps) await report();
    } else if (event.event === 'validation') {
      validation = event.metrics;
      await note({ event: 'validation', step, ...event.metrics, best: event.best });
    } else if (event.event === 'checkpoint') {
      output.event({ event: 'checkpoint', step, path: folder.checkpoint });
    } else {
      if (recent.length > 0 && !event.nonFinite) await report();
      output.settle();
      await writeLossPlot(folder, log, title, unit);
      if (event.nonFinite) throw diverged(event.nonFinite, step, folder);
      reason = event.reason === 'aborted' ? 'interrupted' : event.reason === 'early' ? 'early' : 'finished';
    }
  }
  return { step, reason, log };
}

/** Metrics that are points up to 100; others are shares. */
const points: Readonly<Record<string, string>> = { bleu: 'BLEU', chrf: 'chrF', cider: 'CIDEr-D' };

/** `accuracy 91.2 %  validation 0.310` of a validation. */
function metricsText(metrics: Readonly<Record<string, number>> | undefined): string {
  if (!metrics) return '';
  const { validationLoss, ...others } = metrics;
  const named = Object.entries(others).map(([name, value]) => {
    if (points[name]) return `${points[name]} ${value.toFixed(1)}`;
    const words = name.replaceAll(/[A-Z]+/g, letters => ` ${letters.length > 1 ? letters : letters.toLowerCase()}`);
    return `${words.replace(/ f(\d)/, ' F$1')} ${(100 * value).toFixed(1)} %`;
  });
  return [...named, validationLoss === undefined ? '' : `validation ${validationLoss.toFixed(3)}`]
    .filter(Boolean)
    .join('  ');
}

function diverged({ kind, path }: NonFinite, step: number, folder: RunFolder): NonFiniteError {
  const kept = step === 0 ? '' : `The state before is kept in ${folder.path}. `;
  return new NonFiniteError({
    where: 'train',
    rule: `the ${kind === 'norm' ? 'norm of the gradients' : [kind, path].filter(Boolean).join(' of ')} must be finite`,
    got: `NaN or infinity after step ${step}`,
    advice: `${kept}Train with a smaller --learning-rate.`,
  });
}
