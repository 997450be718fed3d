import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isOstinatoError } from '@ostinato/core';
import { Batcher, type Job } from './batcher.ts';
import { Fields } from './fields.ts';
import type { RequestLimits, Service } from './service.ts';

/** Limits of a server. */
export interface ServerLimits extends RequestLimits {
  /** Most requests that are computed together. */
  readonly maximumBatch: number;
  /** Milliseconds that a request waits for others to share its batch. */
  readonly maximumWait: number;
  /** Most requests that wait; more are refused. */
  readonly maximumQueue: number;
  /** Most bytes of a body. */
  readonly maximumBody: number;
  /** Seconds from the first byte of a request to the end of its answer. */
  readonly timeout: number;
}

/** What is said of a request when it is over. */
export interface RequestLog {
  readonly method: string;
  readonly path: string;
  /** 499: the client went away. */
  readonly status: number;
  readonly milliseconds: number;
}

/** Options of `startServer`. */
export interface ServerOptions {
  readonly service: Service;
  readonly limits: ServerLimits;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Which pages may ask, as `Access-Control-Allow-Origin`. Default: none. */
  readonly origin?: string | undefined;
  readonly log: (entry: RequestLog) => void;
}

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /** Takes no more requests, and resolves when those that were taken are answered, or after so many seconds. */
  stop(seconds: number): Promise<void>;
}

/** Why a request is refused. */
class Refusal extends Error {
  readonly status: number;
  readonly details: object;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, rule: string, details: object = {}, headers: Readonly<Record<string, string>> = {}) {
    super(rule);
    this.status = status;
    this.details = { where: 'request', rule, ...details };
    this.headers = headers;
  }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const bad = (['ArgumentError', 'FormatError', 'ShapeError', 'TokenizerError'] as const).some(kind =>
    isOstinatoError(error, kind),
  );
  if (bad && isOstinatoError(error)) {
    const { where, rule, expected, got, advice } = error.parts;
    return new Refusal(400, rule, { where, expected, got, advice, message: error.message });
  }
  return new Refusal(500, 'the server failed', { message: error instanceof Error ? error.message : String(error) });
}

/** Serves one model over HTTP: requests that wait together are computed together. */
export async function startServer({ service, limits, host, port, origin, log }: ServerOptions): Promise<RunningServer> {
  const batcher = new Batcher<unknown>({
    ...limits,
    run: jobs => service.run(jobs),
    kind: request => service.kind(request),
  });
  let stopping = false;
  const open = new Set<Promise<void>>();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0]!;
    if (origin !== undefined) response.setHeader('Access-Control-Allow-Origin', origin);
    if (request.method === 'OPTIONS' && origin !== undefined) {
      response.setHeader('Access-Control-Allow-Methods', 'GET, POST');
      response.setHeader('Access-Control-Allow-Headers', 'Content-Type');
      return void response.writeHead(204).end();
    }
    const known: Readonly<Record<string, string>> = { '/health': 'GET', '/v1/model': 'GET', [service.path]: 'POST' };
    const method = known[path];
    if (method === undefined)
      throw new Refusal(404, `the path must be of ${Object.keys(known).join(', ')}`, { got: path });
    const given = request.method === 'HEAD' ? 'GET' : request.method;
    if (given !== method) throw new Refusal(405, `the method must be ${method}`, { got: given }, { Allow: method });
    if (path === '/health') {
      return json(response, 200, {
        status: stopping ? 'stopping' : 'ok',
        waiting: batcher.waiting,
        running: batcher.running,
      });
    }
    if (path === '/v1/model') {
      const { task, path: endpoint, model, streams } = service;
      return json(response, 200, { task, path: endpoint, streams, model, limits });
    }
    if (stopping) throw new Refusal(503, 'the server is stopping', {}, { Connection: 'close' });
    await compute(request, response);
  };

  const compute = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const fields = new Fields(await readJson(request, limits.maximumBody));
    const streams = service.streams && fields.flag('stream');
    const parsed = service.parse(fields, limits);
    fields.end();
    const controller = new AbortController();
    const gone = (): void => controller.abort(new Refusal(499, 'the client went away'));
    response.once('close', gone);
    const late = setTimeout(() => {
      const advice = 'Ask for less, or later.';
      controller.abort(new Refusal(504, `the answer must come within ${limits.timeout} s`, { advice }));
    }, 1000 * limits.timeout);
    try {
      const result = await new Promise<object>((resolve, reject) => {
        const { signal } = controller;
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        const piece = (part: object): void => {
          if (streams && !signal.aborted) event(response, 'piece', part);
        };
        const job: Job<unknown> = { request: parsed, signal, piece, finish: resolve, fail: reject };
        if (batcher.submit(job)) return;
        const got = `${limits.maximumQueue} requests that wait`;
        reject(new Refusal(503, 'the queue must have room', { got, advice: 'Try again.' }, { 'Retry-After': '1' }));
      });
      if (streams) {
        event(response, 'result', result);
        response.end();
      } else json(response, 200, result);
    } finally {
      clearTimeout(late);
      response.off('close', gone);
    }
  };

  const server = createServer((request, response) => {
    const start = performance.now();
    const handled = answer(request, response)
      .catch(error => refuse(response, refusalOf(error)))
      .finally(() => {
        open.delete(handled);
        const { method = '', url = '' } = request;
        const status = response.destroyed && !response.writableFinished ? 499 : response.statusCode;
        log({ method, path: url, status, milliseconds: performance.now() - start });
      });
    open.add(handled);
  });
  server.requestTimeout = 1000 * limits.timeout; // for senders that never end
  server.headersTimeout = Math.min(10_000, server.requestTimeout);
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  await listen(server, host, port);
  return {
    port: (server.address() as { port: number }).port,
    async stop(seconds) {
      stopping = true;
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      server.closeIdleConnections();
      let timer: NodeJS.Timeout | undefined;
      const enough = new Promise<void>(resolve => {
        timer = setTimeout(resolve, 1000 * seconds);
      });
      await Promise.race([Promise.all(open).then(() => batcher.idle()), enough]);
      clearTimeout(timer);
      server.closeAllConnections();
      await closed;
      await batcher.idle();
      service.dispose();
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function json(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': bytes.length });
  response.end(bytes);
}

/** One server-sent event; the first begins the stream. */
function event(response: ServerResponse, name: string, data: object): void {
  if (!response.headersSent) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' });
  }
  response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

function refuse(response: ServerResponse, { status, details, headers }: Refusal): void {
  if (response.destroyed) return;
  const error = { error: { status, ...details } };
  if (response.headersSent) {
    event(response, 'error', error);
    response.end();
    return;
  }
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  json(response, status, error);
}

async function readJson(request: IncomingMessage, most: number): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim();
  if (type !== 'application/json') throw new Refusal(415, 'the Content-Type must be application/json', { got: type });
  const tooLarge = (): Refusal =>
    new Refusal(413, `the body must have at most ${most} bytes`, {
      advice: 'Send less, or serve with a larger --body.',
    });
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // What is left of a body that is refused is still read, and forgotten: else the client would not see why.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > most) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Refusal(400, 'the body must be UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, 'the body must be JSON', { got: (error as Error).message });
  }
}
