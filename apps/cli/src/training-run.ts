import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NonFiniteError, Rng } from '@ostinato/core';
import { type AnyLanguageModel, describeLanguageModel, trainLanguageModel } from '@ostinato/tasks/language-modeling';
import type { Tokenizer } from '@ostinato/tokenizers';
import type { Checkpoint, Json, NonFinite, StepEvent } from '@ostinato/training';
import { saveCheckpoint } from '@ostinato/training/node';
import type { Corpus } from './corpus.ts';
import { writeLossPlot } from './loss-plot.ts';
import type { Output } from './output.ts';
import { progressText } from './progress.ts';
import { appendLog, createFolder, type LogEntry, type RunFolder, rewindLog, writeText } from './run-folder.ts';
import type { RunRecord } from './run-record.ts';
import { sampleTexts } from './sample.ts';

/** A run that is about to begin, or to go on. */
export interface Session {
  readonly model: AnyLanguageModel;
  readonly tokenizer: Tokenizer;
  readonly corpus: Corpus;
  readonly record: RunRecord;
  readonly folder: RunFolder;
  /** Where the run goes on; null for a fresh one. */
  readonly checkpoint: Checkpoint | null;
}

/** Options of `runTraining`. */
export interface RunOptions {
  readonly output: Output;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
  /** Seconds after which the run ends as if it had taken all its steps. Default: none. */
  readonly timeLimit?: number;
}

/** How a run ended. */
export interface RunResult {
  readonly step: number;
  readonly reason: 'finished' | 'time' | 'interrupted';
  readonly log: readonly LogEntry[];
}

/** Trains, reports, keeps the log, saves. The checkpoint on the disk is whole at every moment. */
export async function runTraining(session: Session, { output, signal, timeLimit }: RunOptions): Promise<RunResult> {
  const { model, tokenizer, corpus, record, folder, checkpoint } = session;
  const { log: logEvery, validate, checkpoint: checkpointEvery, sample } = record.every;
  const log = await rewindLog(folder, checkpoint?.step ?? -1);
  const note = async (entry: LogEntry): Promise<void> => {
    log.push(entry);
    output.event(entry);
    await createFolder(folder);
    await appendLog(folder, entry);
  };
  const title = `${record.task}: ${folder.path}`;
  const clock = new Clock(timeLimit);
  const { batchSize = 32, windowLength = 100 } = record.training;
  const tokensPerStep = batchSize * windowLength;
  const steps = record.training.steps;
  const first = checkpoint?.step ?? 0;
  let recent: StepEvent[] = [];
  let validationLoss = log.findLast(entry => entry.event === 'validation')?.['validationLoss'] as number | undefined;
  let reason: RunResult['reason'] = 'finished';
  let step = first;

  /** Reports the steps since the last report. */
  const report = async (): Promise<void> => {
    const { learningRate, gradientNorm } = recent.at(-1)!;
    const loss = recent.reduce((sum, event) => sum + event.loss, 0) / recent.length;
    recent = [];
    const { charactersPerSecond } = clock;
    await note({ event: 'step', step, loss, validationLoss, charactersPerSecond, learningRate, gradientNorm });
    const secondsLeft = clock.secondsLeft(step - first, steps - step);
    output.progress(progressText({ step, steps, loss, validationLoss, charactersPerSecond, secondsLeft }));
  };

  const { signal: stop, release } = withTimeLimit(signal, timeLimit);
  const save = async (saved: Checkpoint): Promise<void> => {
    await createFolder(folder);
    await saveCheckpoint(folder.checkpoint, saved);
  };
  const events = trainLanguageModel({
    ...record.training,
    model,
    tokens: corpus.training,
    documentStarts: corpus.documentStarts,
    validation: corpus.validation,
    validateEvery: validate,
    checkpoint: { every: checkpointEvery, save },
    description: describeLanguageModel({ model, tokenizer, details: record as unknown as Json }),
    resume: checkpoint,
    signal: stop,
  });
  try {
    for await (const event of events) {
      step = event.step;
      if (event.event === 'step') {
        recent.push(event);
        clock.count(corpus.charactersPerToken * tokensPerStep);
        if (step % logEvery === 0 || step === first + 1 || step === steps) {
          await report();
        }
        if (sample > 0 && step % sample === 0 && step < steps && !stop.aborted) {
          clock.pause();
          await showSample(session, output, step, stop);
          clock.go();
        }
      } else if (event.event === 'validation') {
        validationLoss = event.metrics['validationLoss'];
        await note({ event: 'validation', step, validationLoss });
      } else if (event.event === 'checkpoint') {
        output.event({ event: 'checkpoint', step, path: folder.checkpoint });
      } else if (event.event === 'stopped') {
        if (recent.length > 0 && !event.nonFinite) await report();
        output.settle();
        await writeLossPlot(folder, log, title);
        if (event.nonFinite) throw diverged(event.nonFinite, step, session);
        reason = event.reason === 'steps' ? 'finished' : signal.aborted ? 'interrupted' : 'time';
      }
    }
  } finally {
    release();
  }
  return { step, reason, log };
}

function diverged({ kind, path }: NonFinite, step: number, { folder, record }: Session): NonFiniteError {
  const kept = step === 0 ? '' : `The state before is kept in ${folder.path}. `;
  const clip = record.training.clipNorm === 0 ? 'clip gradients (--clip-norm 1)' : 'a smaller --clip-norm';
  return new NonFiniteError({
    where: 'train',
    rule: `the ${kind === 'norm' ? 'norm of the gradients' : [kind, path].filter(Boolean).join(' of ')} must be finite`,
    got: `NaN or infinity after step ${step}`,
    advice: `${kept}Train with a smaller --learning-rate, or ${clip}.`,
  });
}

/** Writes something in the middle of training. What it writes depends on seed and step alone. */
async function showSample(session: Session, output: Output, step: number, signal: AbortSignal): Promise<void> {
  const { record, folder } = session;
  const rng = new Rng(record.seed).split('sample').split(step);
  const { task, prompt } = record;
  const [text] = await sampleTexts(session, { task, prompt, count: 1, rng, temperature: 0.8, tokens: 500, signal });
  const trimmed = text!.trim();
  output.event({ event: 'sample', step, text: trimmed });
  output.line(`\nafter step ${step} the model writes:\n\n${trimmed.replaceAll(/^/gm, '    ')}\n`);
  const samples = join(folder.path, 'samples');
  await mkdir(samples, { recursive: true });
  const name = `step-${String(step).padStart(6, '0')}.${task === 'music' ? 'abc' : 'txt'}`;
  await writeText(join(samples, name), `${trimmed}\n`);
}

/** A signal that follows `signal`, and aborts by itself after `seconds`. */
function withTimeLimit(signal: AbortSignal, seconds: number | undefined): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal.reason);
  if (signal.aborted) follow();
  signal.addEventListener('abort', follow);
  const timer = seconds === undefined ? undefined : setTimeout(() => controller.abort(), 1000 * seconds);
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      signal.removeEventListener('abort', follow);
    },
  };
}

/** Speed and time left; samples do not count as training time. */
class Clock {
  #begin = performance.now();
  readonly #absoluteBegin = performance.now();
  readonly #limit: number | undefined;
  #paused = 0;
  #characters = 0;

  constructor(limit: number | undefined) {
    this.#limit = limit;
  }

  count(characters: number): void {
    this.#characters += characters;
  }

  pause(): void {
    this.#paused = performance.now();
  }

  go(): void {
    this.#begin += performance.now() - this.#paused;
  }

  get charactersPerSecond(): number {
    return (1000 * this.#characters) / (performance.now() - this.#begin);
  }

  secondsLeft(done: number, left: number): number {
    const now = performance.now();
    const bySteps = ((now - this.#begin) / 1000 / Math.max(1, done)) * left;
    const byLimit = this.#limit === undefined ? Infinity : this.#limit - (now - this.#absoluteBegin) / 1000;
    return Math.min(bySteps, byLimit);
  }
}
