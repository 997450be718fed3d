import type { PlaceName } from './places.ts';

/** One way to run the backend, which must pass every spec that the stock `cpu` backend passes in the same place. */
export interface Variant {
  readonly place: PlaceName;
  /** The module that registers the backend, `backends/ostinato-cpu.ts` or one of its kind. */
  readonly backend: URL;
  /** What that module is given: plain data, for it travels into another process or a page. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What `backends/ostinato-cpu.ts` is told. */
interface EngineOptions {
  /** The build of the kernels that must run; a variant whose build cannot run here is skipped with the reason. */
  readonly level: 'simd' | 'relaxed-simd' | 'native';
  /** With two, every kernel of a team is shared out, however small. */
  readonly threads: 1 | 2;
}

const backend = new URL('./backends/ostinato-cpu.ts', import.meta.url);
const variant = (place: PlaceName, options: EngineOptions): Variant => ({ place, backend, options: { ...options } });

/** The variants by the names that the command line takes. */
export const variants: Readonly<Record<string, Variant>> = {
  simd: variant('node', { level: 'simd', threads: 1 }),
  'simd-2-threads': variant('node', { level: 'simd', threads: 2 }),
  relaxed: variant('node', { level: 'relaxed-simd', threads: 1 }),
  'relaxed-2-threads': variant('node', { level: 'relaxed-simd', threads: 2 }),
  native: variant('node', { level: 'native', threads: 1 }),
  'native-2-threads': variant('node', { level: 'native', threads: 2 }),
  // Without cross-origin isolation memory is not shared, and there is one thread.
  page: variant('page', { level: 'relaxed-simd', threads: 1 }),
  // The page's own thread may not sleep: it waits for the others by spinning.
  'isolated-page-2-threads': variant('isolated-page', { level: 'relaxed-simd', threads: 2 }),
  'worker-2-threads': variant('worker', { level: 'relaxed-simd', threads: 2 }),
};
