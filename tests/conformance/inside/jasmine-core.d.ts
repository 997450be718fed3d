/** What the conformance runner uses of jasmine-core 5, which has no types of its own. */
declare module 'jasmine-core/lib/jasmine-core/jasmine.js' {
  export interface SuiteOrSpec {
    readonly id: string;
    /** Absent in a spec. */
    readonly children?: readonly SuiteOrSpec[];
  }

  export interface Result {
    readonly id: string;
    readonly fullName: string;
    readonly status: string;
    readonly failedExpectations: readonly { readonly message: string }[];
  }

  export interface Reporter {
    jasmineStarted(info: { readonly totalSpecsDefined: number }): void;
    specStarted(spec: Pick<Result, 'id' | 'fullName'>): void;
    specDone(spec: Result): void;
    suiteDone(suite: Result): void;
    jasmineDone(run: Pick<Result, 'failedExpectations'>): void;
  }

  export interface Environment {
    configure(options: { readonly random: boolean }): void;
    topSuite(): { readonly children: readonly SuiteOrSpec[] };
    addReporter(reporter: Reporter): void;
    execute(): Promise<unknown>;
  }

  export interface Jasmine {
    DEFAULT_TIMEOUT_INTERVAL: number;
    getEnv(options: { readonly suppressLoadErrors: boolean }): Environment;
  }

  const jasmineRequire: {
    core(required: unknown): Jasmine;
    /** `describe`, `it`, `expect` and the other globals of specs. */
    interface(jasmine: Jasmine, environment: Environment): Record<string, unknown>;
  };
  export default jasmineRequire;
}
