import { ResourceError } from '@ostinato/core';
import { bundleSpecs } from './bundle.ts';
import type { Outcome } from './events.ts';
import { places } from './places.ts';
import type { Variant } from './variants.ts';

/** What came of the specs on one backend in one place. */
export interface SpecRun {
  /** The backend in a few words. */
  readonly engine: string;
  /** Why the backend cannot run here; undefined where it can. */
  readonly missing: string | undefined;
  readonly outcomes: readonly Outcome[];
  /** Why the run ended before its specs did; undefined when it did not. */
  readonly endedEarly: string | undefined;
  readonly seconds: number;
}

/** Is told how many of how many specs have run. */
type ReportSpecs = (done: number, total: number) => void;

/**
 * Runs spec files on a backend. A spec that does not end within `patience` seconds, or ends its process or page, has failed,
 * and the ones after it do not run.
 */
export async function runSpecs(
  files: readonly string[],
  variant: Pick<Variant, 'place' | 'backend' | 'options'>,
  { onSpec = () => {}, patience = 120 }: { onSpec?: ReportSpecs; patience?: number } = {},
): Promise<SpecRun> {
  const place = places[variant.place];
  const script = await bundleSpecs(files, variant, place.platform);
  const outcomes: Outcome[] = [];
  const stop = new AbortController();
  const watchdog = setTimeout(() => stop.abort(), 1000 * patience);
  const start = performance.now();
  let engine = '';
  let total = 0;
  let running: { file: string; name: string } | undefined;
  let endedEarly: string | undefined;
  let missing: string | undefined;
  try {
    await place.run(
      script,
      event => {
        watchdog.refresh();
        if (event.kind === 'missing') missing = event.reason;
        if (event.kind === 'begin') ({ engine, specs: total } = event);
        if (event.kind === 'started') running = event;
        if (event.kind === 'ended') {
          running = undefined;
          outcomes.push(event.outcome);
          onSpec(outcomes.length, total);
        }
      },
      stop.signal,
    );
  } catch (error) {
    endedEarly = stop.signal.aborted ? `no spec ended within ${patience} s` : (error as Error).message;
    if (running) outcomes.push({ file: running.file, name: running.name, status: 'failed', message: endedEarly });
  } finally {
    clearTimeout(watchdog);
  }
  if (total === 0 && endedEarly !== undefined) {
    throw new ResourceError({ where: 'conformance', rule: 'the specs did not start', got: endedEarly });
  }
  return { engine, missing, outcomes, endedEarly, seconds: (performance.now() - start) / 1000 };
}
