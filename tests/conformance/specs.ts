// Runs one bundle of specs in this process: `node specs.ts BUNDLE`. Every finished spec is one line of JSON on standard output.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { SpecResult } from './outcome.ts';

interface JasmineEnvironment {
  configure(options: { random: boolean }): void;
  addReporter(reporter: { specDone(result: JasmineResult): void }): void;
  execute(): Promise<unknown>;
}

interface JasmineResult {
  readonly fullName: string;
  readonly status: string;
  readonly failedExpectations: readonly { readonly message: string }[];
}

const core = createRequire(import.meta.url)('jasmine-core') as {
  boot(): { getEnv(): JasmineEnvironment };
};
const environment = core.boot().getEnv();
environment.configure({ random: false });
environment.addReporter({
  specDone({ fullName, status, failedExpectations }) {
    const result: SpecResult = { name: fullName, status, message: failedExpectations[0]?.message ?? '' };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  },
});
// The specs print warnings of their own by the thousand.
console.warn = () => {};
await import(pathToFileURL(process.argv[2]!).href);
await environment.execute();
process.exit(0);
