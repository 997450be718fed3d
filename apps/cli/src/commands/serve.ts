import type { Command } from 'commander';
import { type CommonOptions, startEngine, withCommonOptions } from '../common.ts';
import { badInput } from '../failure.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { modelFile } from '../load-model.ts';
import { createOutput, type Output } from '../output.ts';
import { decimal, integer } from '../parse.ts';
import { loadService } from '../serve/load-service.ts';
import { startServer } from '../serve/server.ts';

interface ServeOptions extends CommonOptions {
  readonly model?: string;
  readonly host: string;
  readonly port: number;
  readonly batch: number;
  readonly wait: number;
  readonly queue: number;
  readonly body: number;
  readonly texts: number;
  readonly length: number;
  readonly tokens: number;
  readonly timeout: number;
  readonly grace: number;
  readonly origin?: string;
}

/** `ostinato serve`: a model over HTTP. */
export function addServe(root: Command): void {
  withCommonOptions(root.command('serve'))
    .description('answer requests over HTTP with a model of any task')
    .option('--model <path>', 'a run folder or a model file (default: the pretrained model that comes along)')
    .option('--host <address>', 'where to listen; 0.0.0.0 is everywhere', '127.0.0.1')
    .option('--port <number>', '0 is any that is free', integer({ min: 0, max: 65535 }), 8080)
    .option('--batch <count>', 'most requests that are computed together', integer({ min: 1 }), 16)
    .option('--wait <milliseconds>', 'that a request waits for others', decimal({ min: 0 }), 5)
    .option('--queue <count>', 'most requests that wait; more are refused', integer({ min: 1 }), 256)
    .option('--body <bytes>', 'most of a request', integer({ min: 1 }), 1_000_000)
    .option('--texts <count>', 'most of a request', integer({ min: 1 }), 64)
    .option('--length <characters>', 'most of a text', integer({ min: 1 }), 10_000)
    .option('--tokens <count>', 'most of a generated text', integer({ min: 1 }), 2000)
    .option(
      '--timeout <seconds>',
      'from the first byte of a request to the last of its answer',
      decimal({ above: 0 }),
      60,
    )
    .option('--grace <seconds>', 'for requests that run when the server is stopped', decimal({ min: 0 }), 10)
    .option('--origin <origin>', 'pages of which origin may ask; * is any (default: none)')
    .addHelpText(
      'after',
      `
Examples:
  ostinato serve --model runs/translation --port 8080
  curl localhost:8080/v1/translate -H 'Content-Type: application/json' -d '{"texts": ["Ein Hund läuft."]}'
  ostinato serve
  curl -N localhost:8080/v1/generate -H 'Content-Type: application/json' -d '{"prompt": "X:1\\n", "seed": 2, "stream": true}'`,
    )
    .action(async (options: ServeOptions) => serve(createOutput(options), options));
}

async function serve(output: Output, options: ServeOptions): Promise<void> {
  const path = modelFile(options.model);
  await startEngine(output, options);
  const service = await loadService(path);
  const { host, origin } = options;
  const limits = {
    ...{
      maximumBatch: options.batch,
      maximumWait: options.wait,
      maximumQueue: options.queue,
      timeout: options.timeout,
    },
    ...{ maximumBody: options.body, maximumTexts: options.texts, maximumLength: options.length },
    maximumTokens: options.tokens,
  };
  const interrupt = listenForInterrupt(() => output.line('\nstopping … (Ctrl-C again quits at once)'));
  try {
    const server = await startServer({
      ...{ service, limits, host, origin, port: options.port },
      log: ({ method, path: asked, status, milliseconds }) => {
        output.event({ event: 'request', method, path: asked, status, milliseconds });
        output.line(`${status}  ${method} ${asked}  ${milliseconds.toFixed(0)} ms`);
      },
    }).catch(error => {
      service.dispose();
      throw refused(error, options);
    });
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
    output.event({ event: 'listening', url, task: service.task, path: service.path, limits });
    output.line(`\n${service.task} of ${path}: POST ${url}${service.path}`);
    output.line(`${url}/v1/model says what it is; Ctrl-C stops\n`);
    const { signal } = interrupt;
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
    await server.stop(options.grace);
    output.event({ event: 'result', stopped: true });
  } finally {
    interrupt.release();
  }
}

function refused(error: unknown, { host, port }: ServeOptions): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return badInput('--port', 'the port must be free', String(port), 'Name another.');
  if (code === 'EACCES') return badInput('--port', 'the port must be allowed', String(port), 'Take one above 1023.');
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return badInput('--host', 'must be an address of this machine', host);
  return error;
}
