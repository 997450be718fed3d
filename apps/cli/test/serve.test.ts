import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { Rng } from '@ostinato/core';
import { Captioner, trainCaptionTokenizer } from '@ostinato/tasks/captioning';
import { saveCaptioner } from '@ostinato/tasks/captioning/node';
import { LanguageModel } from '@ostinato/tasks/language-modeling';
import { loadLanguageModel, saveLanguageModel } from '@ostinato/tasks/language-modeling/node';
import { createTranslator, trainTokenizers } from '@ostinato/tasks/translation';
import { saveTranslator } from '@ostinato/tasks/translation/node';
import { CharacterTokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { generationService } from '../src/serve/generation.ts';
import { loadService } from '../src/serve/load-service.ts';
import { type RequestLog, type RunningServer, type ServerLimits, startServer } from '../src/serve/server.ts';
import { launch, temporaryFolder } from './cli.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const modelFile = join(folder, 'model.safetensors');
const limits: ServerLimits = {
  ...{ maximumBatch: 8, maximumWait: 2, maximumQueue: 100, maximumBody: 2000, timeout: 20 },
  ...{ maximumTexts: 4, maximumTokens: 100, maximumLength: 1000 },
};
beforeAll(async () => {
  const tokenizer = CharacterTokenizer.train('abcdefghijklmnopqrstuvwxyz .\n');
  const { vocabularySize } = tokenizer;
  const model = new LanguageModel({ vocabularySize, embeddingSize: 8, hiddenSize: 16, rng: new Rng(1) });
  await saveLanguageModel(modelFile, { model, tokenizer });
  model.dispose();
});

let server: RunningServer | undefined;
let log: RequestLog[] = [];
afterEach(async () => {
  await server?.stop(5);
  server = undefined;
  log = [];
});

async function serve(options: Partial<ServerLimits> = {}, file = modelFile): Promise<string> {
  const service = file === modelFile ? generationService(await loadLanguageModel(file)) : await loadService(file);
  server = await startServer({
    ...{ service, limits: { ...limits, ...options }, host: '127.0.0.1', port: 0, log: entry => log.push(entry) },
  });
  return `http://127.0.0.1:${server.port}`;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & { readonly error?: Record<string, unknown> };
}

async function post(url: string, body: unknown, init: RequestInit = {}): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: text, ...init });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

describe('serve', () => {
  it('says what it serves, and answers as asked alone whatever else is asked', async () => {
    const url = await serve();
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok', waiting: 0, running: 0 });
    const model = await (await fetch(`${url}/v1/model`)).json();
    expect(model).toMatchObject({ task: 'language-model', path: '/v1/generate', streams: true, limits });
    const requests = Array.from({ length: 12 }, (_, i) => ({
      ...{ prompt: 'abc '.repeat(1 + (i % 3)), seed: i, temperature: i % 2, maximumTokens: 5 + i },
    }));
    const alone: Answer[] = [];
    for (const request of requests) alone.push(await post(`${url}/v1/generate`, request));
    const together = await Promise.all(requests.map(request => post(`${url}/v1/generate`, request)));
    expect(together).toEqual(alone);
    expect(alone[3]).toMatchObject({ status: 200, body: { seed: 3, finished: 'maximumTokens' } });
    expect(alone[3]!.body['text']).toHaveLength(8);
    expect((await post(`${url}/v1/generate`, { prompt: 'a' })).body['seed']).not.toBe(
      (await post(`${url}/v1/generate`, { prompt: 'a' })).body['seed'],
    );
  });

  it('streams a text as it is written', async () => {
    const url = await serve();
    const request = { prompt: 'abc', seed: 4, maximumTokens: 20 };
    const whole = await post(`${url}/v1/generate`, request);
    const response = await fetch(`${url}/v1/generate`, {
      ...{ method: 'POST', headers: { 'Content-Type': 'application/json' } },
      body: JSON.stringify({ ...request, stream: true }),
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = (await response.text())
      .trim()
      .split('\n\n')
      .map(block => {
        const [name, data] = block.split('\n');
        return [name, JSON.parse(data!.replace('data: ', ''))] as [string, { text: string }];
      });
    expect(events.at(-1)).toEqual(['event: result', whole.body]);
    const pieces = events.slice(0, -1);
    expect(pieces.length).toBeGreaterThan(10);
    expect(pieces.map(([, { text }]) => text).join('')).toBe(whole.body['text']);
  });

  it('says what pictures show, together as alone, and refuses what is none without harm to others', async () => {
    const tokenizer = trainCaptionTokenizer(['a red one', 'a blue one']);
    const { vocabularySize } = tokenizer;
    const shape = { side: 8, channels: [4, 8], size: 8, numHeads: 2, decoderLayers: 1 };
    const model = new Captioner({ vocabularySize, ...shape, rng: new Rng(1) });
    const file = join(folder, 'captioner.safetensors');
    await saveCaptioner(file, { model, tokenizer });
    model.dispose();
    const url = `${await serve({}, file)}/v1/caption`;
    const pictures = await Promise.all(
      ['red', 'blue', 'white'].map(async background => {
        const picture = sharp({ create: { width: 20, height: 9, channels: 3, background } });
        return (await picture.png().toBuffer()).toString('base64');
      }),
    );
    const alone: Answer[] = [];
    for (const picture of pictures) alone.push(await post(url, { pictures: [picture], attention: true }));
    expect(alone[0]!.body['results']).toMatchObject([{ text: expect.any(String), attention: { grid: [2, 2] } }]);
    const text = Buffer.from('This is text.').toString('base64');
    const [first, none, second, third] = await Promise.all([
      post(url, { pictures: pictures.slice(0, 1), attention: true }),
      post(url, { pictures: [pictures[1], text], attention: true }),
      post(url, { pictures: [`data:image/png;base64,${pictures[1]}`], attention: true }),
      post(url, { pictures: pictures.slice(2), attention: true }),
    ]);
    expect([first, second, third]).toEqual(alone);
    expect(none).toMatchObject({ status: 400, body: { error: { where: 'picture 1' } } });
    expect(await post(url, { pictures: ['no!'] })).toMatchObject({ status: 400 });
  });

  it.each([
    [404, '/v1/other', '{}', {}, 'the path must be of'],
    [405, '/v1/generate', undefined, { method: 'GET' }, 'the method must be POST'],
    [415, '/v1/generate', '{}', { headers: { 'Content-Type': 'text/plain' } }, 'Content-Type'],
    [400, '/v1/generate', '{"prompt": "a"', {}, 'must be JSON'],
    [400, '/v1/generate', '[]', {}, 'must be a JSON object'],
    [400, '/v1/generate', '{"prompt": 1}', {}, 'prompt must be a text'],
    [400, '/v1/generate', '{"prompt": "a", "temperature": -1}', {}, 'temperature must be'],
    [400, '/v1/generate', '{"prompt": "a", "maximumTokens": 101}', {}, 'maximumTokens must be'],
    [400, '/v1/generate', '{"prompt": "a", "tokens": 5}', {}, 'the fields must be of'],
    [400, '/v1/generate', '{"prompt": "Ä"}', {}, 'vocabulary'],
    [413, '/v1/generate', ' '.repeat(3000), {}, 'at most 2000 bytes'],
  ])('refuses with %i: %s %j', async (status, path, body, init, rule) => {
    const url = await serve();
    const answer = await post(url + path, body, body === undefined ? { ...init, body: null } : init);
    expect(answer).toMatchObject({ status, body: { error: { status, rule: expect.stringContaining(rule) } } });
  });

  it('bounds the queue and the time', async () => {
    const url = await serve({ maximumQueue: 1, maximumBatch: 1, timeout: 0.3, maximumTokens: 100_000 });
    const long = (): Promise<Answer> => post(`${url}/v1/generate`, { prompt: 'a', maximumTokens: 100_000 });
    const answers = await Promise.all(Array.from({ length: 6 }, long));
    const count = (status: number): number => answers.filter(answer => answer.status === status).length;
    expect(count(504)).toBeGreaterThan(0);
    expect(count(503)).toBeGreaterThan(0);
    expect(count(503) + count(504)).toBe(6);
    expect((await post(`${url}/v1/generate`, { prompt: 'a', maximumTokens: 2 })).status).toBe(200);
  });

  it('answers 500 requests of 50 clients, good and bad, and holds no more memory after', {
    timeout: 60_000,
  }, async () => {
    const url = await serve();
    const path = `${url}/v1/generate`;
    const good = (i: number) => ({ prompt: 'abc', seed: i % 10, maximumTokens: 10 + (i % 4), temperature: 1 });
    const expected: unknown[] = [];
    for (let i = 0; i < 20; i++) expected.push((await post(path, good(i))).body);
    const idle = async (): Promise<void> => {
      const running = async (): Promise<number> =>
        ((await (await fetch(`${url}/health`)).json()) as { running: number }).running;
      while ((await running()) > 0) await pause(5);
    };
    await idle();
    const { numTensors, numBytes } = tf.memory();
    const before = heap();
    const wrong: string[] = [];
    const check = (i: number, ok: boolean, got: unknown): void => {
      if (!ok) wrong.push(`${i}: ${JSON.stringify(got)}`);
    };
    let next = 0;
    const client = async (): Promise<void> => {
      for (let i = next++; i < 500; i = next++) {
        if (i % 5 === 1) {
          const answer = await post(path, '{"prompt": ');
          check(i, answer.status === 400, answer);
        } else if (i % 5 === 2) {
          const answer = await post(path, { prompt: 'a'.repeat(5000) });
          check(i, answer.status === 413, answer);
        } else if (i % 5 === 3) {
          const controller = new AbortController();
          const gone = post(path, { ...good(i), maximumTokens: 100 }, { signal: controller.signal });
          setTimeout(() => controller.abort(), i % 7);
          await gone.catch(() => undefined);
        } else {
          const answer = await post(path, good(i));
          check(i, JSON.stringify(answer.body) === JSON.stringify(expected[i % 20]), answer);
        }
      }
    };
    await Promise.all(Array.from({ length: 50 }, client));
    expect(wrong).toEqual([]);
    await idle();
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    expect(heap() - before).toBeLessThan(64 * 2 ** 20);
    expect(log.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(220);
  });

  it('translates, with alternatives and attention', async () => {
    const pairs = [
      { source: 'un chat', target: 'a cat' },
      { source: 'un chien', target: 'a dog' },
    ];
    const tokenizers = trainTokenizers({ pairs, type: 'word' });
    const sizes = { size: 8, numHeads: 2, encoderLayers: 1, decoderLayers: 1 };
    const model = createTranslator({ vocabularySize: tokenizers.source.vocabularySize, ...sizes, rng: new Rng(1) });
    const file = join(folder, 'translator.safetensors');
    await saveTranslator(file, { model, tokenizers });
    model.dispose();
    const url = await serve({}, file);
    const texts = ['un chat', '', 'un chien'];
    const { status, body } = await post(`${url}/v1/translate`, { texts, beamSize: 3, count: 2, attention: true });
    expect(status).toBe(200);
    const results = body['results'] as { text: string; alternatives: unknown[]; attention?: { weights: number[][] } }[];
    expect(results.map(({ alternatives }) => alternatives.length)).toEqual([2, 1, 2]);
    expect(results[0]!.attention!.weights[0]).toHaveLength(3);
    const both = await Promise.all(
      texts.map(async text => (await post(`${url}/v1/translate`, { texts: [text], beamSize: 3, count: 2 })).body),
    );
    expect(both.map(one => (one['results'] as { text: string }[])[0]!.text)).toEqual(results.map(({ text }) => text));
    expect((await post(`${url}/v1/translate`, { texts: [] })).status).toBe(400);
    expect((await post(`${url}/v1/translate`, { texts: ['a', 'b', 'c', 'd', 'e'] })).status).toBe(400);
    const long = await post(`${url}/v1/translate`, { texts: ['un chat', 'a'.repeat(1001)] });
    expect(long).toMatchObject({ status: 400, body: { error: { rule: expect.stringContaining('text 1 of texts') } } });
  });

  it('bounds the time of a translation, and answers others meanwhile', async () => {
    const url = await serve(
      { timeout: 0.3, maximumLength: 10_000, maximumBody: 20_000 },
      join(folder, 'translator.safetensors'),
    );
    const slow = post(`${url}/v1/translate`, { texts: ['un chat '.repeat(500)] });
    let answered = 0;
    while ((await Promise.race([slow, fetch(`${url}/health`)])).status === 200) answered++;
    expect((await slow).status).toBe(504);
    expect(answered).toBeGreaterThan(0);
    expect((await post(`${url}/v1/translate`, { texts: ['un chat'] })).status).toBe(200);
  });

  it('drops a connection that sends no whole request', async () => {
    const url = await serve({ timeout: 1 });
    const socket = createConnection(Number(new URL(url).port), '127.0.0.1');
    const text = await new Promise<string>(resolve => {
      let received = '';
      socket.on('data', data => {
        received += data.toString();
      });
      socket.on('close', () => resolve(received));
      socket.write('NONSENSE\r\n\r\n');
    });
    expect(text).toContain('400 Bad Request');
  });

  it('as a command: finishes what runs at SIGTERM, takes nothing more, and ends with 0', {
    timeout: 60_000,
  }, async () => {
    const { child, done } = launch(
      ['serve', '--model', modelFile, '--port', '0', '--tokens', '3000', '--json'],
      folder,
    );
    const url = await listening(child);
    const running = post(`${url}/v1/generate`, { prompt: 'abc', maximumTokens: 1000, seed: 1 });
    await pause(150);
    child.kill('SIGTERM');
    expect(await running).toMatchObject({ status: 200, body: { finished: 'maximumTokens' } });
    const { code, stdout, stderr } = await done;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('"event":"request","method":"POST","path":"/v1/generate","status":200');
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });
});

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds));

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    child.stdout!.on('data', (text: Buffer) => {
      const url = /"event":"listening","url":"([^"]+)"/.exec(text.toString())?.[1];
      if (url) resolve(url);
    });
  });
}
