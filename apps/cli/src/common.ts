import { createRequire } from 'node:module';
import { type EngineName, engineNames, type StartReport, start } from '@ostinato/backend/node';
import { type Command, Option } from 'commander';
import type { Output } from './output.ts';

/** How a command speaks. */
export interface ReportOptions {
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Options of every command that computes. */
export interface CommonOptions extends ReportOptions {
  readonly engine: EngineName | 'auto';
}

/** Adds the options of every command that computes. */
export function withCommonOptions(command: Command): Command {
  return withReportOptions(command).addOption(
    new Option('--engine <name>', 'what computes').choices(['auto', ...engineNames]).default('auto'),
  );
}

/** Adds the options of how a command speaks. */
export function withReportOptions(command: Command): Command {
  return command
    .option('--json', 'print events, one JSON object per line', false)
    .option('--verbose', 'print the stack of an error', false);
}

/** What `auto` tries, in this order. */
const automatic: readonly EngineName[] = ['cuda', 'webgpu', 'cpu'];

/** Starts the engine of `--engine` and says which one it is and why. */
export async function startEngine(output: Output, { engine }: CommonOptions): Promise<StartReport> {
  const report = await start({ prefer: engine === 'auto' ? automatic : [engine] });
  const { candidates } = report;
  const { details, reason } = candidates.at(-1)!;
  output.event({
    event: 'engine',
    engine: report.engine,
    backend: report.backend,
    why: report.why,
    details,
    candidates,
  });
  output.line(`engine  ${report.engine}: ${reason}`);
  return report;
}

/** How the user calls this program again. In a clone that is pnpm, which npx fetches: a user may have only Node. */
export const programName: string = nameOf(import.meta.url);

function nameOf(url: string): string {
  if (url.endsWith('.ts')) {
    const { packageManager } = createRequire(url)('../../../package.json') as { readonly packageManager: string };
    return `npx -y ${packageManager} ostinato`;
  }
  // npx runs what is not installed from a folder of this name in its cache.
  return url.includes('/_npx/') ? 'npx @ostinato/cli' : 'ostinato';
}
