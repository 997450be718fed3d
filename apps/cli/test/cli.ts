import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const sources = ['--conditions=@ostinato/source', '--import', pathToFileURL(require.resolve('tsx')).href];
/** Both CLIs: how each is run, and how it says that it is called. */
export const programs = {
  source: { args: [...sources, place('../src/main.ts')], name: 'npx -y pnpm@\\S+ ostinato' },
  built: { args: [place('../dist/main.js')], name: 'ostinato' },
};

/** The one that the tests run: vitest.config.ts says which. */
export const program = programs[process.env['OSTINATO_CLI'] as keyof typeof programs];

/** A command line that the CLI proposes, `args` being a regular expression. */
export function proposal(args: string, { name } = program): RegExp {
  return new RegExp(`^ *${name} ${args}$`, 'm');
}

/** A fresh empty folder. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'ostinato-cli-'));
}

/** Every file below a folder, sorted. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** What a command left. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of `--json`. */
export type JsonLine = { readonly event: string } & Readonly<Record<string, unknown>>;

/** Starts the CLI; `input` is its standard input. */
export function launch(
  args: readonly string[],
  cwd: string,
  input?: string | Uint8Array,
  { args: start } = program,
): { child: ChildProcess; done: Promise<Outcome> } {
  const stdin = input === undefined ? 'ignore' : 'pipe';
  const child = spawn(process.execPath, [...start, ...args], { cwd, stdio: [stdin, 'pipe', 'pipe'] });
  child.stdin?.end(input);
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr!.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const done = new Promise<Outcome>(resolve => child.once('close', code => resolve({ code, stdout, stderr })));
  return { child, done };
}

/** Presses Ctrl-C, once, when what was printed matches: a second one would quit at once. */
export function interruptWhen(printed: RegExp, child: ChildProcess): void {
  let stdout = '';
  const look = (text: Buffer): void => {
    stdout += text.toString();
    if (!printed.test(stdout)) return;
    child.stdout!.off('data', look);
    child.kill('SIGINT');
  };
  child.stdout!.on('data', look);
}

/** Runs the CLI to its end. */
export function cli(args: readonly string[], cwd: string, input?: string | Uint8Array): Promise<Outcome> {
  return launch(args, cwd, input).done;
}

/** The lines of `--json`; every line must be one object with an event. */
export function events({ stdout }: Outcome): JsonLine[] {
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as JsonLine);
}

/** Options of a model that trains in a second. */
export const tiny: readonly string[] = [
  ...['--hidden', '16', '--embedding', '8', '--batch', '4', '--length', '16'],
  ...['--log-every', '2', '--validate-every', '10', '--checkpoint-every', '5', '--sample-every', '0'],
];
