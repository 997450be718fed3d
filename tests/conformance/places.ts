import { chromiumMissing } from '../browser/chromium.ts';
import type { Platform } from './bundle.ts';
import type { SpecEvent } from './events.ts';
import { runInChromium } from './place-chromium.ts';
import { runInNode } from './place-node.ts';

/** A kind of process or page that specs run in. */
export interface Place {
  readonly platform: Platform;
  /** Why nothing can run there on this machine; undefined where it can. */
  readonly missing: string | undefined;
  /**
   * Runs a bundle of specs to its end, passing on what it reports. Ends it early when `signal` is aborted.
   *
   * @throws ResourceError when the bundle ended before its specs did
   */
  run(script: string, listen: (event: SpecEvent) => void, signal: AbortSignal): Promise<void>;
}

/** Node, a page of Chromium, one that is cross-origin isolated, and a Web Worker of such a page. */
export type PlaceName = 'node' | 'page' | 'isolated-page' | 'worker';

const inChromium = (options: { isolated: boolean; worker: boolean }): Place => ({
  platform: 'browser',
  missing: chromiumMissing,
  run: (script, listen, signal) => runInChromium(script, listen, { signal, ...options }),
});

export const places: Readonly<Record<PlaceName, Place>> = {
  node: { platform: 'node', missing: undefined, run: runInNode },
  page: inChromium({ isolated: false, worker: false }),
  'isolated-page': inChromium({ isolated: true, worker: false }),
  worker: inChromium({ isolated: true, worker: true }),
};
