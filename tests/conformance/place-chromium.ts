import { ResourceError } from '@ostinato/core';
import { chromium } from 'playwright-core';
import { chromiumFlags, chromiumPath } from '../browser/chromium.ts';
import { serve } from '../browser/serve.ts';
import type { SpecEvent } from './events.ts';

const inPage = '<script src="/specs.js"></script>';
const inWorker = `<script>
  const worker = new Worker('/specs.js');
  worker.onmessage = ({ data }) => conformanceEvent(data);
  worker.onerror = ({ message }) => { throw new Error('the worker: ' + message); };
</script>`;

/** Runs a bundle of specs in a page of a headless Chromium of its own, or in a worker of that page: see `Place`. */
export async function runInChromium(
  script: string,
  listen: (event: SpecEvent) => void,
  { signal, isolated, worker }: { signal: AbortSignal; isolated: boolean; worker: boolean },
): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    '/index.html': `<!doctype html><meta charset="utf-8"><title>Specs</title>${worker ? inWorker : inPage}`,
    '/specs.js': script,
  };
  const server = await serve(path => files[path], { isolated });
  const browser = await chromium.launch({ executablePath: chromiumPath, args: [...chromiumFlags] });
  try {
    const page = await browser.newPage();
    await new Promise<void>((resolve, reject) => {
      const fail = (got: string): void =>
        reject(new ResourceError({ where: 'conformance', rule: 'the page ended before its specs did', got }));
      let begun = false;
      signal.addEventListener('abort', () => fail('a stop'));
      page.on('crash', () => fail('a crash'));
      // Once the specs run, jasmine counts what goes wrong.
      page.on('pageerror', error => begun || fail(String(error)));
      const onEvent = (event: SpecEvent): void => {
        begun = true;
        listen(event);
        if (event.kind === 'finished') resolve();
      };
      page
        .exposeFunction('conformanceEvent', onEvent)
        .then(() => page.goto(server.origin, { timeout: 0 }))
        .catch(reject);
    });
  } finally {
    await browser.close();
    server.close();
  }
}
