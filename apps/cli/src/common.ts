import { type EngineName, engineNames, type StartReport, start } from '@ostinato/backend/node';
import { type Command, Option } from 'commander';
import type { Output } from './output.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly json: boolean;
  readonly engine: EngineName | 'auto';
  readonly verbose: boolean;
}

/** Adds the options that every command takes. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--json', 'print events, one JSON object per line', false)
    .addOption(new Option('--engine <name>', 'what computes').choices(['auto', ...engineNames]).default('auto'))
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
  for (const refused of candidates.slice(0, -1)) output.line(`        not ${refused.name}: ${refused.reason}`);
  return report;
}

/** How the user calls this program: from a clone through pnpm, or by its name. */
export const programName: string = import.meta.url.endsWith('.ts') ? 'pnpm ostinato' : 'ostinato';
