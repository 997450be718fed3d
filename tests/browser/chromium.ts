import { existsSync } from 'node:fs';

/** The Chromium that tests drive: the one that OSTINATO_CHROMIUM names, or Debian's. */
export const chromiumPath: string = process.env['OSTINATO_CHROMIUM'] ?? '/usr/bin/chromium';

/** Command line of a Chromium that runs in a container and keeps to itself. */
export const chromiumFlags: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--no-first-run',
];

/** Why no page can be tested here; undefined when there is a Chromium. */
export const chromiumMissing: string | undefined = existsSync(chromiumPath)
  ? undefined
  : `there is no Chromium at ${chromiumPath} (install it, or set OSTINATO_CHROMIUM)`;
