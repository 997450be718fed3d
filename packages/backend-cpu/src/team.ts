/**
 * The threads that run one kernel together: workers that each have the kernels opened on the backend's shared memory and wait
 * there for a job. `kernels/team.h` says how they share the work and meet.
 */

import { ResourceError } from '@ostinato/core';
import type { Address, Kernels } from './kernels.ts';
import type { KernelMemory } from './memory.ts';
import type { ReopenKernels } from './wasm.ts';

/** Kernels that take `thread`, `threads` and the team's shared integers as their last arguments. */
export type TeamKernel = Exclude<keyof Kernels, `${string}_work` | 'random_words' | 'peak_operations'>;

type WithoutThread<Arguments extends unknown[]> = Arguments extends [
  ...infer Rest,
  thread: number,
  threads: number,
  shared: number,
]
  ? Rest
  : never;

/** Arguments of a team's kernel but for the thread's. */
export type TeamArguments<Name extends TeamKernel> = WithoutThread<Parameters<Kernels[Name]>>;

/** Integers of the shared block; the first four are those of `kernels/team.h`, each on a cache line of its own. */
const place = {
  broken: 32,
  maySleep: 48,
  patience: 49,
  job: 64,
  done: 80,
  ready: 96,
  kernel: 112,
  count: 113,
  opened: 120,
} as const;
const argumentsAt = 512;
const mostArguments = 48;
const blockBytes = argumentsAt + 8 * mostArguments;
const stackBytes = 65_536;
/** A job is one integer, its number and how many threads take part, so that nobody sees one without the other. */
const threadBits = 8;
const stopped = -1;
/** About a tenth of a millisecond: how long the caller waits awake for the others, who may lack a core. */
const spinsBeforeSleep = 20_000;
/** How long a worker waits awake for a job: longer than JavaScript takes between two kernels, also where it draws a token. */
const spinsBetweenJobs = 60_000;

/** Milliseconds after which a caller that sleeps looks whether the others are lost. */
const longestWait = 1000;

/** Starts of workers that never came, after which there will be no more. */
const mostFailedStarts = 3;

/** The most threads of a team. */
export const mostThreads: number = 2 ** threadBits - 1;

/** How a worker opens the WebAssembly kernels; native code brings an `openKernels` of its own. */
const openerSource = `
function openKernels({ module }, memory, stack) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.__stack_pointer.value = stack;
  return exports;
}`;

/**
 * What a worker runs after that, as text: it needs no file that a bundler would have to find. `serve` answers jobs until it is
 * told to stop.
 */
const workerSource = `
function serve({ reopen, memory, block, stack, names, place, argumentsAt, mostArguments, threadBits, stopped, spins }) {
  const integers = new Int32Array(memory.buffer, block, 128);
  let kernels;
  try {
    kernels = openKernels(reopen, memory, stack);
  } finally {
    Atomics.add(integers, place.opened, 1);
    Atomics.notify(integers, place.opened);
  }
  const values = new Float64Array(memory.buffer, block + argumentsAt, mostArguments);
  let seen = Atomics.load(integers, place.job);
  if (seen === stopped) return;
  const thread = 1 + Atomics.add(integers, place.ready, 1);
  for (;;) {
    let job;
    for (let i = 0; (job = Atomics.load(integers, place.job)) === seen; i++) {
      if (i > spins) Atomics.wait(integers, place.job, seen);
    }
    seen = job;
    if (job === stopped) return;
    const threads = job & ((1 << threadBits) - 1);
    if (thread >= threads) continue;
    try {
      kernels[names[integers[place.kernel]]](...values.subarray(0, integers[place.count]), thread, threads, block);
    } catch {
      Atomics.store(integers, place.broken, 1);
    }
    Atomics.add(integers, place.done, 1);
    Atomics.notify(integers, place.done);
  }
}
if (typeof self === 'undefined') serve(require('node:worker_threads').workerData);
else self.onmessage = ({ data }) => { serve(data); self.close(); };
`;

interface Thread {
  terminate(): unknown;
}

/** What this file needs of Node; the packages have no dependency on its types. */
interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
  once(event: 'exit', listener: () => void): void;
}
interface NodeWorker extends Thread {
  unref(): void;
  on(event: 'exit' | 'error', listener: () => void): void;
}

const nodeModule = <Module>(name: string): Module | undefined =>
  (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.(name) as Module | undefined;

/** Cores that this process may use. */
export function availableThreads(): number {
  const os = nodeModule<{ availableParallelism(): number }>('node:os');
  return os?.availableParallelism() ?? (globalThis as { navigator?: Navigator }).navigator?.hardwareConcurrency ?? 1;
}

/** Starts a worker; `lost` is called when it ends, also when it cannot start. */
function startThread(data: { reopen: ReopenKernels } & Record<string, unknown>, lost: () => void): Thread {
  const source = `${data.reopen.native?.source ?? openerSource}${workerSource}`;
  const threads = nodeModule<{ Worker: new (source: string, options: object) => NodeWorker }>('node:worker_threads');
  if (threads !== undefined) {
    const worker = new threads.Worker(source, { eval: true, workerData: data, execArgv: [] });
    worker.on('exit', lost);
    worker.on('error', lost);
    worker.unref();
    return worker;
  }
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url);
  worker.onerror = lost;
  worker.postMessage(data);
  const terminate = (): void => {
    URL.revokeObjectURL(url);
    worker.terminate();
  };
  return { terminate };
}

/** Blocks of workers that open native code now. Node aborts the process when one is terminated meanwhile. */
const opening = new Map<Int32Array, number>();
/** The longest that the end of the process waits for them, in milliseconds; opening takes some tens. */
const longestOpening = 5000;

let waitsAtExit = false;

/** One more worker with this block opens native code. */
function expectOpening(integers: Int32Array): void {
  for (const [other, workers] of opening) if (Atomics.load(other, place.opened) >= workers) opening.delete(other);
  opening.set(integers, (opening.get(integers) ?? 0) + 1);
  if (waitsAtExit) return;
  waitsAtExit = true;
  (globalThis as { process?: NodeProcess }).process!.once('exit', finishOpening);
}

/** Keeps Node from ending before workers have opened their native code. */
function finishOpening(): void {
  const deadline = performance.now() + longestOpening;
  for (const [integers, workers] of opening) {
    for (let opened = 0; opened < workers && performance.now() < deadline; ) {
      opened = Atomics.load(integers, place.opened);
      if (opened < workers) Atomics.wait(integers, place.opened, opened, deadline - performance.now());
    }
  }
}

/** Whether this thread may sleep: the main thread of a page may not. */
function maySleep(integers: Int32Array): boolean {
  try {
    Atomics.wait(integers, 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/** A caller of kernels and, from the first large job on, the workers that help it. */
export class Team {
  readonly #memory: KernelMemory;
  readonly #reopen: ReopenKernels;
  readonly #kernels: Kernels;
  readonly #names: string[];
  #wanted: number;
  #workers: Thread[] = [];
  #blocks: Address[] = [];
  #integers: Int32Array | undefined;
  #arguments: Float64Array | undefined;
  #jobs = 0;
  /** How often workers ended before any of them had arrived. */
  #failedStarts = 0;
  /** Seconds after which a thread that does not come counts as lost. Longer than any job between two meetings takes. */
  patience = 60;
  /** Floats that are read and written in the time that a handing over takes: 4 MB. */
  fewFloats: number = 2 ** 20;

  constructor(options: { memory: KernelMemory; kernels: Kernels; reopen: ReopenKernels; threads: number }) {
    this.#memory = options.memory;
    this.#reopen = options.reopen;
    this.#kernels = options.kernels;
    this.#names = Object.keys(options.kernels);
    this.#wanted = options.memory.shared ? options.threads : 1;
  }

  /** How many threads a large job is given, once they have all arrived. */
  get wanted(): number {
    return this.#wanted;
  }

  /** How many threads a job of so many operations gets now; starts the workers when it is the first large one. */
  threadsFor(operations: number): number {
    return operations < smallJob ? 1 : this.#present();
  }

  /** The same for a job that does little more than to read and write so many floats. */
  threadsForFloats(floats: number): number {
    return floats < this.fewFloats ? 1 : this.#present();
  }

  #present(): number {
    if (this.#wanted === 1) return 1;
    if (this.#integers === undefined) this.#start();
    // None when they could not start.
    const ready = this.#integers as Int32Array | undefined;
    return ready === undefined ? 1 : Math.min(this.#wanted, 1 + Atomics.load(ready, place.ready));
  }

  /**
   * Runs a kernel on the threads that `threadsFor` gave.
   *
   * @throws ResourceError when a thread was lost while it worked; the next job gets a new team
   */
  run<Name extends TeamKernel>(name: Name, threads: number, values: TeamArguments<Name>): void {
    const kernel = this.#kernels[name] as (...values: number[]) => void;
    if (threads === 1) {
      kernel(...(values as number[]), 0, 1, 0);
      return;
    }
    const integers = this.#integers!;
    integers[place.patience] = this.patience;
    this.#arguments!.set(values as number[]);
    integers[place.kernel] = this.#names.indexOf(name);
    integers[place.count] = values.length;
    Atomics.store(integers, place.done, 0);
    this.#jobs = (this.#jobs + 1) % 2 ** 22;
    Atomics.store(integers, place.job, (this.#jobs << threadBits) | threads);
    Atomics.notify(integers, place.job);
    kernel(...(values as number[]), 0, threads, this.#blocks[0]!);
    this.#awaitOthers(name, threads);
  }

  #awaitOthers(name: string, threads: number): void {
    const integers = this.#integers!;
    const sleeps = integers[place.maySleep] === 1;
    let patience = 1000 * this.patience;
    let before = performance.now();
    for (let spins = 0; ; spins++) {
      const done = Atomics.load(integers, place.done);
      if (done === threads - 1) break;
      if (spins < spinsBeforeSleep) continue;
      const now = performance.now();
      // A process that is suspended, or a computer that sleeps, has lost no thread: that time does not count.
      patience -= Math.min(now - before, longestWait);
      before = now;
      if (patience < 0) Atomics.store(integers, place.broken, 1);
      if (Atomics.load(integers, place.broken) === 1) break;
      if (sleeps) Atomics.wait(integers, place.done, done, longestWait);
    }
    if (Atomics.load(integers, place.broken) === 0) return;
    this.dispose();
    throw new ResourceError({
      where: `backend-cpu (${name})`,
      rule: `a thread of the ${threads} that ran this kernel was lost`,
      advice: 'The result is not there; every other tensor is. Repeat the step: it gets new threads.',
    });
  }

  #start(): void {
    this.#blocks = [this.#memory.allocate(blockBytes)];
    const [block] = this.#blocks as [Address];
    const integers = new Int32Array(this.#memory.memory.buffer, block, argumentsAt / 4).fill(0);
    integers[place.maySleep] = Number(maySleep(integers));
    this.#integers = integers;
    this.#arguments = new Float64Array(this.#memory.memory.buffer, block + argumentsAt, mostArguments);
    const shared = { reopen: this.#reopen, memory: this.#memory.memory, block, names: this.#names, place };
    const numbers = { argumentsAt, mostArguments, threadBits, stopped, spins: spinsBetweenJobs };
    for (let thread = 1; thread < this.#wanted; thread++) {
      const stack = this.#memory.allocate(stackBytes);
      this.#blocks.push(stack);
      const lost = (): void => {
        if (this.#integers === integers) this.#giveUp();
      };
      try {
        this.#workers.push(startThread({ ...shared, ...numbers, stack: stack + stackBytes }, lost));
        if (this.#reopen.native !== undefined) expectOpening(integers);
      } catch {
        this.#giveUp();
        return;
      }
    }
  }

  /** The team is incomplete. Where workers never come (a page's policy may forbid them), one thread has to do. */
  #giveUp(): void {
    if (Atomics.load(this.#integers!, place.ready) === 0 && ++this.#failedStarts === mostFailedStarts) this.#wanted = 1;
    this.dispose();
  }

  #isOpening(integers: Int32Array): boolean {
    const workers = opening.get(integers) ?? 0;
    if (Atomics.load(integers, place.opened) < workers) return true;
    opening.delete(integers);
    return false;
  }

  /** Ends the workers. The next large job starts new ones. */
  dispose(): void {
    const integers = this.#integers;
    if (integers === undefined) return;
    this.#integers = undefined;
    Atomics.store(integers, place.job, stopped);
    Atomics.notify(integers, place.job);
    // Workers that are opening native code read the job, and leave.
    if (!this.#isOpening(integers)) for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    // A worker may still be on its way out of a kernel: its memory is not used again.
    this.#blocks = [];
  }
}

/** Operations below which handing a job over costs more than it saves: some 20 microseconds of one thread. */
const smallJob = 1e6;
