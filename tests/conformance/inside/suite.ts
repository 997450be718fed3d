// What the entry of a bundle of specs calls, in a Node process, a page or a worker: `useBackend`, `load` for every file,
// `execute`.
import { environment } from './jasmine.ts';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import type { Result, SuiteOrSpec } from 'jasmine-core/lib/jasmine-core/jasmine.js';
import type { SpecEvent } from '../events.ts';
import { seedMathRandom } from './random.ts';

/**
 * Registers the backend under test, with its kernels, as `name`; says in a few words which one it is, or why it cannot run here.
 */
export type RegisterBackend = (
  name: string,
  options: Readonly<Record<string, unknown>>,
) => Promise<{ readonly engine: string } | { readonly missing: string }>;

/**
 * The name is neither backend's own, so that the suite defines the same specs for both. (It has two for the backend named
 * `cpu` alone, about moving tensors between two stock backends.)
 */
const backendName = 'conformance';

const filesById = new Map<string, string>();
let register: () => ReturnType<RegisterBackend>;

/** Lets the specs run on this backend. */
export function useBackend(registerBackend: RegisterBackend, options: Readonly<Record<string, unknown>>): void {
  register = () => registerBackend(backendName, options);
  // The name is part of the specs' names, and tells some of them which kind of canvas to ask for.
  setTestEnvs([{ name: 'cpu', backendName, isDataSync: true }]);
}

/** Evaluates a file of specs. */
export function load(file: string, evaluate: () => void): void {
  const before = environment.topSuite().children.length;
  try {
    evaluate();
  } catch (error) {
    report({ kind: 'ended', outcome: { file, name: '(loading the file)', status: 'failed', message: String(error) } });
  }
  for (const child of environment.topSuite().children.slice(before)) remember(child, file);
}

function remember({ id, children = [] }: SuiteOrSpec, file: string): void {
  filesById.set(id, file);
  for (const child of children) remember(child, file);
}

/** Runs what was loaded. */
export async function execute(): Promise<void> {
  const registration = await register();
  if ('missing' in registration) {
    report({ kind: 'missing', reason: registration.missing });
    report({ kind: 'finished' });
    return;
  }
  const { engine } = registration;
  // The specs print warnings of their own by the thousand.
  console.warn = () => {};
  environment.addReporter({
    jasmineStarted({ totalSpecsDefined }) {
      report({ kind: 'begin', specs: totalSpecsDefined, engine });
    },
    specStarted({ id, fullName }) {
      seedMathRandom(fullName);
      report({ kind: 'started', file: filesById.get(id) ?? '', name: fullName });
    },
    specDone: ended,
    suiteDone(suite) {
      if (suite.failedExpectations.length > 0) ended({ ...suite, fullName: `${suite.fullName} (outside its specs)` });
    },
    jasmineDone({ failedExpectations }) {
      if (failedExpectations.length > 0) {
        ended({ id: '', fullName: '(outside every spec)', status: 'failed', failedExpectations });
      }
    },
  });
  await environment.execute();
  report({ kind: 'finished' });
}

function ended({ id, fullName, status, failedExpectations }: Result): void {
  const message = failedExpectations.map(expectation => expectation.message).join('; ');
  report({ kind: 'ended', outcome: { file: filesById.get(id) ?? '', name: fullName, status, message } });
}

function report(event: SpecEvent): void {
  const { conformanceEvent } = globalThis as { conformanceEvent?: (event: SpecEvent) => void };
  if (typeof process !== 'undefined') process.send!(event);
  else if (conformanceEvent !== undefined) conformanceEvent(event);
  else postMessage(event); // in a worker
}
