import { type Candidate, listEngines } from '@ostinato/backend/node';
import type { Command } from 'commander';
import { type ReportOptions, withReportOptions } from '../common.ts';
import { createOutput, type Output } from '../output.ts';

/** `ostinato engines`: what can run here, what was refused and why. */
export function addEngines(root: Command): void {
  withReportOptions(root.command('engines'))
    .description('what can compute on this machine, what was refused and why')
    .addHelpText('after', '\nExamples:\n  ostinato engines\n  ostinato engines --json')
    .action(async (options: ReportOptions) => engines(createOutput(options)));
}

async function engines(output: Output): Promise<void> {
  const candidates = await listEngines();
  const width = Math.max(...candidates.map(({ name }) => name.length));
  for (const candidate of candidates) {
    const { name, available, reason, details } = candidate;
    output.event({ event: 'candidate', engine: name, available, reason, details });
    output.line(row(candidate, width));
  }
  output.event({ event: 'result', available: candidates.filter(each => each.available).map(each => each.name) });
}

function row({ name, available, reason, details }: Candidate, width: number): string {
  const facts = Object.entries(details).map(([fact, value]) => `${' '.repeat(width + 11)}${fact}: ${value}`);
  return [`${name.padEnd(width)}  ${available ? 'runs   ' : 'refused'}  ${reason}`, ...facts].join('\n');
}
