import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Headers that isolate a page from other origins, for which it gets shared memory. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const types: Readonly<Record<string, string>> = {
  html: 'text/html',
  js: 'text/javascript',
  mjs: 'text/javascript',
};

/** A server of the loopback interface, on a port that was free. */
export interface TestServer {
  readonly origin: string;
  /** Paths that were asked for and are not there. */
  readonly missing: readonly string[];
  close(): void;
}

/** Serves what `read` gives for a path, `/` as `/index.html`. `isolated`: whether pages are cross-origin isolated. */
export function serve(
  read: (path: string) => string | Buffer | undefined,
  { isolated }: { isolated: boolean },
): Promise<TestServer> {
  const missing: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = pathname === '/' ? '/index.html' : pathname;
    const body = read(path);
    // Browsers ask for it by themselves.
    if (body === undefined && path !== '/favicon.ico') missing.push(path);
    const type = types[path.slice(path.lastIndexOf('.') + 1)] ?? 'text/plain';
    response.writeHead(body === undefined ? 404 : 200, { ...(isolated ? isolation : {}), 'Content-Type': type });
    response.end(body);
  });
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      resolve({ origin, missing, close: () => server.close() });
    });
  });
}
