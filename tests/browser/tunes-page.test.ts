import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { lossCurve } from '@ostinato/insight';
import { tunesToHtml } from '@ostinato/tasks/music/node';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumFlags, chromiumMissing, chromiumPath } from './chromium.ts';

const missing = chromiumMissing !== undefined;
const isRequired = Boolean(process.env['CI']);
if (missing && !isRequired) console.warn(`tests/browser: skipped, ${chromiumMissing}.`);

const reel = `X:1
T:Test Reel
R:reel
M:4/4
L:1/8
K:Ador
|:eAAB c2Bc|dBGA B2AB|eAAB c2Bc|dBGB A4:|
|:a2ge d2Bd|g2fg edBd|a2ge dBGB|c2Bc A4:|`;
const jig = `X:2
T:Two Voices
M:6/8
L:1/8
Q:3/8=110
K:G
V:1
|:D|"G"GAB BAG|"C"c2e edc|"G"BGB "D"AFA|"G"G3 G2:|
V:2
|:z|G,3 G,3|C3 C3|G,3 D3|G,3 G,2:|`;
const unplayable = 'X:3\nT:Words only\nK:C\n';
const hostile = `X:4
T:</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">
C:<svg onload="window.hacked = 3">
%%text <script>window.hacked = 4</script>
M:3/4
L:1/4
K:D
"<img src=x onerror='window.hacked = 5'>"ABc|!</script>!d2e|[K:<b>]f3|<!--abc|
w:<i>words</i> </title>`;
// The sound is measured where it leaves the page: every node that reaches the destination also reaches this analyser.
const listenAtTheDestination = `
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target === this.context.destination && !window.analyser) {
      window.analyser = this.context.createAnalyser();
      connect.call(this, window.analyser);
    }
    return connect.call(this, target, ...rest);
  };
`;

it.runIf(missing && isRequired)('has a Chromium where CI is set', () => {
  expect.fail(chromiumMissing);
});

describe.skipIf(missing)('the tunes page in Chromium', () => {
  let browser: Browser;
  let folder: string;
  let page: Page;
  const complaints: string[] = [];
  const requests: string[] = [];
  const analyse = (): Promise<{ state: string; time: number; loudest: number }> =>
    page.evaluate(() => {
      const { analyser } = globalThis as unknown as { analyser: AnalyserNode };
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      return { state: analyser.context.state, time: analyser.context.currentTime, loudest };
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostinato-page-'));
    const points = Array.from({ length: 60 }, (_, step) => ({ step, value: 1 + 3 * 0.9 ** step }));
    const html = tunesToHtml([{ abc: reel, remarks: ['12 % of it is <new>.'] }, jig, unplayable, hostile], {
      title: 'Tunes & <tests>',
      introduction: 'Written by a test.',
      lossCurveSvg: lossCurve({ title: 'Loss', series: [{ name: 'training', points }] }),
    });
    const file = join(folder, 'tunes.html');
    writeFileSync(file, html);
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: [...chromiumFlags, '--autoplay-policy=no-user-gesture-required'],
    });
    const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, offline: true });
    page = await context.newPage();
    await page.addInitScript(listenAtTheDestination);
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', error => complaints.push(String(error)));
    page.on('request', request => requests.push(request.url()));
    await page.goto(pathToFileURL(file).href);
  });

  afterAll(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  it('draws a score with note heads for every tune that has notes', async () => {
    const heads = await page.$$eval('article', articles =>
      articles.map(article => article.querySelectorAll('.score svg .abcjs-note').length),
    );
    expect(heads[0]).toBeGreaterThan(40);
    expect(heads[1]).toBeGreaterThan(20);
    expect(heads[2]).toBe(0);
    const box = await page.locator('.score svg').first().boundingBox();
    expect(box!.width).toBeGreaterThan(600);
    expect(box!.height).toBeGreaterThan(80);
  });

  it('shows the loss curve', async () => {
    const natural = await page.$eval('figure img', image => (image as HTMLImageElement).naturalWidth);
    expect(natural).toBe(720);
  });

  it('says what is wrong with a tune, and does not play one without notes', async () => {
    const verdicts = await page.locator('.verdict').allTextContents();
    expect(verdicts.slice(0, 3)).toEqual([
      'Valid ABC; every bar adds up.',
      'Valid ABC; every bar adds up.',
      'Not valid ABC: 1 problem.',
    ]);
    expect(await page.locator('article').nth(2).locator('button').isDisabled()).toBe(true);
    expect(await page.locator('.remarks').first().textContent()).toBe('12 % of it is <new>.');
  });

  it('plays: the clock of the sound runs, the signal is not silent, the notes are marked one after the other', async () => {
    const button = page.locator('article').first().locator('button');
    await button.click();
    expect(await button.textContent()).toBe('Stop');
    await expect.poll(async () => (await analyse()).loudest, { timeout: 5000 }).toBeGreaterThan(0.001);
    const first = await analyse();
    expect(first.state).toBe('running');
    const marked = async (): Promise<number> =>
      page.$eval('article', article => {
        const notes = [...article.querySelectorAll('.abcjs-note')];
        return notes.findIndex(note => note.classList.contains('sounding'));
      });
    await expect.poll(marked, { timeout: 5000 }).toBeGreaterThanOrEqual(0);
    const early = await marked();
    await expect.poll(marked, { timeout: 5000 }).toBeGreaterThan(early + 2);
    expect((await analyse()).time).toBeGreaterThan(first.time);
  });

  it('changes the tempo of a tune that plays, and starts one tune at a time', async () => {
    await page.locator('#tempo').fill('150');
    expect(await page.locator('#tempo-value').textContent()).toBe('150 %');
    await page.locator('article').nth(1).locator('button').click();
    expect(await page.locator('button[aria-pressed="true"]').count()).toBe(1);
    expect(await page.locator('article').first().locator('button').textContent()).toBe('Play');
  });

  it('stops, and falls silent', async () => {
    await page.locator('article').nth(1).locator('button').click();
    expect(await page.locator('button[aria-pressed="true"]').count()).toBe(0);
    expect(await page.locator('.sounding').count()).toBe(0);
    await expect.poll(async () => (await analyse()).loudest, { timeout: 8000 }).toBeLessThan(0.001);
  });

  it('comes to the end of a tune by itself', async () => {
    const button = page.locator('article').nth(3).locator('button');
    await button.click();
    await expect.poll(() => button.textContent(), { timeout: 15_000 }).toBe('Play');
  });

  it('runs nothing that stands in a tune', async () => {
    expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false);
    expect(await page.locator('script').count()).toBe(4);
    expect(await page.locator('article img, article script, article b, article i').count()).toBe(0);
    const title = await page.locator('article').nth(3).locator('h2').textContent();
    expect(title).toContain('</script><script>window.hacked = 1</script>');
    expect(await page.title()).toBe('Tunes & <tests>');
  });

  it('fits a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const { content, view } = await page.evaluate(() => ({
      content: document.documentElement.scrollWidth,
      view: document.documentElement.clientWidth,
    }));
    expect(content).toBeLessThanOrEqual(view);
  });

  it('asks for nothing from outside and complains about nothing', () => {
    expect(requests.filter(url => !url.startsWith('file:') && !url.startsWith('data:'))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
