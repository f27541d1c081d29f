// What the checks of the pages have in common: a browser, sentences that hold or not, and what the browser complains of.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const complaints = [];
let passed = 0;
let failed = 0;

const waitMaxMs = 20_000;

/** A browser with one context; where there is none the check has failed. */
export async function open() {
  const executablePath = process.env.CHROMIUM ?? browsers.find(existsSync);
  if (!executablePath) {
    console.log(`No browser in ${browsers.join(', ')}: set CHROMIUM to one.`);
    console.log('0 passed, 1 failed');
    process.exit(1);
  }
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  context.setDefaultTimeout(waitMaxMs);
  return { browser, context };
}

export async function check(sentence, prove) {
  try {
    await prove();
    passed++;
    console.log(`ok      ${sentence}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${sentence}\n        ${error.message.split('\n').slice(0, 6).join('\n        ')}`);
  }
}

export function expect(isTrue, message) {
  if (!isTrue) {
    throw new Error(message);
  }
}

export async function until(message, probe, maxMs = waitMaxMs) {
  const end = performance.now() + maxMs;
  for (;;) {
    const value = await probe();
    if (value) {
      return value;
    }
    expect(performance.now() < end, `waited ${maxMs / 1000} s for: ${message}`);
    await new Promise(resume => setTimeout(resume, 100));
  }
}

/** Hears what a page complains of. A refusal that the page asked for on purpose is reported as a failed resource, and is none. */
export function listen(page) {
  page.on('pageerror', error => complaints.push(error.stack ?? error.message));
  page.on('console', message => {
    const isRefusal = /^Failed to load resource: the server responded with a status of (400|404|409|422)/.test(message.text());
    if (message.type() === 'error' && !isRefusal) {
      complaints.push(`${message.text()} (${message.location().url})`);
    }
  });
  return page;
}

/** The page's feed is live. */
export const live = page => page.locator('#connection[data-state="live"]').waitFor({ timeout: waitMaxMs });

/** Proves the last sentence, says how many held, and ends. */
export async function close(browser) {
  await check('The browser has nothing to complain about', async () => {
    expect(complaints.length === 0, complaints.join('\n'));
  });
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
