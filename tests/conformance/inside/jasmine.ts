import jasmineRequire, { type Environment } from 'jasmine-core/lib/jasmine-core/jasmine.js';

const jasmine = jasmineRequire.core(jasmineRequire);

/** The jasmine that runs the specs; importing this module gives them their globals. */
export const environment: Environment = jasmine.getEnv({ suppressLoadErrors: true });

Object.assign(globalThis, jasmineRequire.interface(jasmine, environment), { jasmine });
environment.configure({ random: false });
/** As tfjs-core's own set-up has it, in milliseconds. */
jasmine.DEFAULT_TIMEOUT_INTERVAL = 20_000;
