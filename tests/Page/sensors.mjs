// Drives the page of Sensors in a real browser against a running Sensors system with simulated devices, some of which spike:
//
//   npm ci --omit=optional
//   node sensors.mjs http://127.0.0.1:5100
//
// CHROMIUM names the browser where it is not in one of the usual places. The last line reads `N passed, N failed`.
import { check, close, expect, listen, live, open, until } from './harness.mjs';

const base = (process.argv[2] ?? 'http://127.0.0.1:5100').replace(/\/$/, '');
const alertWaitMaxMs = 30_000;
const contrastMin = 4.5;

async function api(path) {
  const response = await fetch(`${base}${path}`);
  expect(response.ok, `${path} answered ${response.status}`);
  return response.json();
}

const text = (page, selector) => page.locator(selector).first().textContent();
const rawCount = page => page.locator('#topics .meter', { has: page.getByText('sensors.raw', { exact: true }) })
  .locator('.meter-value').textContent();

// Colours on the map are counted in the pixels of its canvas: the surface shows through where no cell is.
const paintedColours = page => page.locator('#map-canvas').evaluate(canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  let painted = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 255) {
      painted++;
      seen.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
    }
  }
  return { painted, colours: seen.size };
});

// The least contrast of visible text against what lies behind it, by WCAG 2.2; colours are resolved by a canvas, whatever their syntax.
const leastContrast = page => page.evaluate(() => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = colour => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [red, green, blue] = [r, g, b].map(value => value / 255).map(value =>
      (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) {
        return colour;
      }
    }
    return [255, 255, 255, 255];
  };
  let least = { contrast: Infinity, where: '' };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const style = getComputedStyle(node);
    const isShown = node.checkVisibility({ visibilityProperty: true }) && !node.closest('.hidden-title, :disabled');
    if (!walker.currentNode.data.trim() || !isShown) {
      continue;
    }
    const [light, dark] = [luminance(rgba(style.color)), luminance(behind(node))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < least.contrast) {
      least = { contrast, where: `${node.tagName} ${node.id || node.className} "${walker.currentNode.data.trim().slice(0, 30)}"` };
    }
  }
  return least;
});

const { browser, context } = await open();
const page = listen(await context.newPage());
let device;

await check('The page opens and its feed goes live', async () => {
  await page.goto(base);
  await live(page);
  await until('totals', async () => /^\d/.test(await text(page, '#total-devices')));
});

await check('Devices appear on the map, in more than one colour, and in the list', async () => {
  await page.locator('.match').first().waitFor();
  const { total } = await until('devices', async () => {
    const found = await api('/api/devices?pageSize=1');
    return found.total > 0 && found;
  });
  await until('coloured cells', async () => {
    const { painted, colours } = await paintedColours(page);
    return painted > total && colours > 2;
  });
  expect(/^[\d,]+ devices? in \d+ zones?$/.test(await text(page, '#map-note')), await text(page, '#map-note'));
  expect((await page.locator('#ranges li').count()) > 0, 'the colours have no range');
});

await check('Values change without reload', async () => {
  await page.evaluate(() => { window.isSamePage = true; });
  const values = async () => (await page.locator('.match-value').allTextContents()).join();
  const before = await values();
  await until('another value', async () => await values() !== before);
  const counted = await rawCount(page);
  await until('a higher count', async () => await rawCount(page) !== counted);
  expect(await page.evaluate(() => window.isSamePage), 'the page was loaded again');
});

await check('The watermark, lag and counts are shown per topic, group and reason', async () => {
  await until('a watermark', async () => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/.test(await text(page, '#watermark')));
  const stats = await api('/api/stats');
  for (const [list, names] of [['topics', Object.keys(stats.topics)], ['groups', Object.keys(stats.lag)]]) {
    const shown = await page.locator(`#${list} .meter-name`).allTextContents();
    expect(names.length > 0 && names.every(name => shown.includes(name)), `${list}: ${shown} instead of ${names}`);
  }
});

await check('A search finds the device, and Enter selects it', async () => {
  const { items } = await api('/api/devices?status=OK&pageSize=50');
  device = items.find(item => item.value !== null);
  expect(device, 'no device is OK and has a value');
  await page.fill('#filter-text', device.deviceId);
  const exact = page.locator('.match', { has: page.getByText(device.deviceId, { exact: true }) });
  await exact.waitFor();
  await until('fewer matches', async () => (await page.locator('.match').count()) < 20);
  await exact.locator('a').press('Enter');
  await until('the address', () => page.url().endsWith(`#/devices/${encodeURIComponent(device.deviceId)}`));
});

await check('The selected device has a chart with points, in every range', async () => {
  const chart = page.locator(`.chart[data-id="${device.deviceId}"]`);
  await chart.waitFor();
  const points = async () => Number(await chart.getAttribute('data-points'));
  await until('points', async () => await points() > 0);
  for (const range of ['15m', '6h', '24h', 'all', '1h']) {
    await page.click(`[data-range="${range}"]`);
    await until(`points in ${range}`, async () => await points() > 0);
  }
  await chart.locator('canvas').focus();
  await page.keyboard.press('ArrowLeft');
  await until('the values under the crosshair', async () => /mean .* readings?$/.test(await chart.locator('.chart-readout').textContent()));
});

await check('Up to four charts stay, the latest first, and one can be closed', async () => {
  await page.fill('#filter-text', '');
  const { items } = await api('/api/devices?pageSize=50');
  const others = items.filter(item => item.deviceId !== device.deviceId).slice(0, 4);
  for (const { deviceId } of others) {
    await page.evaluate(id => { location.hash = `#/devices/${encodeURIComponent(id)}`; }, deviceId);
    await page.locator(`.chart[data-id="${deviceId}"]`).waitFor();
  }
  const shown = await page.locator('.chart').evaluateAll(charts => charts.map(chart => chart.dataset.id));
  const expected = others.map(item => item.deviceId).toReversed();
  expect(shown.join() === expected.join(), `${shown} instead of ${expected}`);
  for (let rest = shown.length; rest > 0; rest--) {
    await page.locator('.chart-head button').first().click();
    await until('one chart less', async () => await page.locator('.chart').count() === rest - 1);
  }
});

await check('Filters by zone and type leave the devices of both', async () => {
  await page.selectOption('#filter-zone', device.zone);
  await page.selectOption('#filter-type', device.sensorType);
  const query = new URLSearchParams({ zone: device.zone, type: device.sensorType, pageSize: 1 });
  await until('the same number as the API counts', async () => {
    const { total } = await api(`/api/devices?${query}`);
    return Number((await text(page, '#matches-note')).replace(/ .*/, '').replaceAll(',', '')) === total;
  });
  await page.selectOption('#filter-zone', '');
  await page.selectOption('#filter-type', '');
});

await check('A pointer on the map shows what is there, and a click selects it', async () => {
  await page.fill('#filter-text', device.deviceId);
  await until('the search', async () => (await page.locator('.match').count()) < 20);
  await until('a tip', async () => {
    await page.locator('#map-canvas').hover({ position: { x: 2, y: 2 } });
    await page.locator('#map-canvas').hover({ position: { x: 6, y: 26 } });
    return page.locator('#map-tip').isVisible();
  });
  const named = await text(page, '#map-tip strong');
  await page.locator('#map-canvas').click({ position: { x: 6, y: 26 } });
  await page.locator(`.chart[data-id="${named}"]`).waitFor();
  await page.fill('#filter-text', '');
});

await check('Explain shows operators with a watermark', async () => {
  await page.click('#explain summary');
  await page.locator('#explain-body [data-operator]').first().waitFor();
  await until('a watermark', async () =>
    (await page.locator('#explain-body .watermark').allTextContents()).some(one => /^\d{4}-/.test(one)));
  const counted = await text(page, '#explain-body');
  await until('newer counts', async () => await text(page, '#explain-body') !== counted);
  await page.click('#explain summary');
});

await check('An open alert is acknowledged with a name and a note', async () => {
  await page.selectOption('#alerts-state', 'OPEN');
  const isThere = await page.locator('.alert').first().waitFor({ timeout: alertWaitMaxMs }).then(() => true, () => false);
  if (!isThere) {
    console.log('        (no alert was open within 30 s)');
    return;
  }
  // An alert may clear while the dialog is open, which is refused with words; then another one is taken.
  await page.selectOption('#alerts-state', '');
  await until('an acknowledged alert', async () => {
    const row = page.locator('.alert[data-state="OPEN"]').first();
    const id = await row.getAttribute('data-id', { timeout: 2_000 }).catch(() => null);
    if (id === null) {
      return false;
    }
    const chosen = page.locator(`.alert[data-id="${id}"]`);
    // It may clear before the click, too: then there is no button any more.
    if (!await chosen.locator('button').click({ timeout: 2_000 }).then(() => true, () => false)) {
      const state = await chosen.getAttribute('data-state', { timeout: 2_000 }).catch(() => 'gone');
      expect(state !== 'OPEN', `an open alert cannot be clicked: ${id}`);
      return false;
    }
    await page.fill('#acknowledge-by', '');
    await page.locator('#acknowledge [type=submit]').click();
    await page.locator('#acknowledge-by[aria-invalid]').waitFor();
    await page.fill('#acknowledge-by', 'Ada');
    await page.fill('#acknowledge-note', 'on it');
    await page.locator('#acknowledge [type=submit]').click();
    await until('an answer', async () => !await page.locator('#acknowledge').isVisible()
      || await page.locator('#acknowledge .problem').isVisible());
    if (await page.locator('#acknowledge').isVisible()) {
      await page.click('#acknowledge-cancel');
      return false;
    }
    await page.mouse.move(0, 0);
    await until('the name on the alert', async () => (await chosen.textContent()).includes('Ada: on it'));
    return true;
  });
});

await check('A change of metadata is kept, and a bad one shows its error at the field', async () => {
  await page.evaluate(id => { location.hash = `#/devices/${encodeURIComponent(id)}`; }, device.deviceId);
  await until('the device', async () => await page.locator('#device[data-state="ready"]').isVisible()
    && await text(page, '#device-title') === device.deviceId);
  const name = `Checked ${Date.now()}`;
  await page.fill('#device-name', name);
  await page.locator('#device-form [type=submit]').click();
  await page.locator('#device-form').getByText('Saved.').waitFor();
  await until('the name', async () => (await api(`/api/devices/${encodeURIComponent(device.deviceId)}`)).name === name);

  await page.fill('#device-low', '2000');
  await page.fill('#device-high', '1000');
  await page.locator('#device-form [type=submit]').click();
  await page.locator('#device-form .field-error').first().waitFor();
  const faulty = await page.locator('#device-form [aria-invalid]').evaluateAll(inputs => inputs.map(input => input.name));
  expect(faulty.length > 0 && faulty.every(one => /low|high/i.test(one)), `at fault: ${faulty}`);
  await page.fill('#device-high', 'much');
  await page.locator('#device-form [type=submit]').click();
  await page.locator('#device-form [name=high][aria-invalid]').waitFor();

  await page.reload();
  await until('the device after the reload', async () => await page.inputValue('#device-name') === name);
});

await check('The theme toggles, the choice outlives a reload, and text is readable in both', async () => {
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  await page.locator('.match').first().waitFor();
  for (const expected of ['light', 'dark']) {
    expect(await theme() === expected, `the page is ${await theme()}`);
    const { contrast, where } = await leastContrast(page);
    expect(contrast >= contrastMin, `${expected}: ${contrast.toFixed(2)} at ${where}`);
    await until('coloured cells', async () => (await paintedColours(page)).colours > 2);
    await page.click('#theme');
  }
  await page.click('#theme');
  await page.reload();
  await live(page);
  expect(await theme() === 'dark', 'the choice was forgotten');
  await page.click('#theme');
});

await check('An unknown device says so', async () => {
  const other = listen(await context.newPage());
  await other.goto(`${base}/#/devices/no-such-device`);
  await other.locator('#device[data-state="error"] #device-problem').waitFor();
  expect((await text(other, '#device-problem')).length > 0, 'no message');
  await other.close();
});

await check('Text that looks like markup stays text', async () => {
  const other = listen(await context.newPage());
  const hostile = '<img src=x onerror=window.isBroken=true>';
  await other.route(`**/api/devices/${encodeURIComponent(device.deviceId)}`, async route => {
    await route.fulfill({ json: { ...device, name: hostile, model: hostile, zone: hostile, sensorType: hostile } });
  });
  await other.goto(`${base}/#/devices/${encodeURIComponent(device.deviceId)}`);
  await other.locator('#device[data-state="ready"]').waitFor();
  await until('the zone', async () => (await text(other, '#device-facts')).includes(hostile));
  expect(await other.locator('#device img').count() === 0, 'markup entered the document');
  expect(!await other.evaluate(() => window.isBroken), 'a script ran');
  await other.close();
});

await check('A lost feed is shown as such, and comes back by itself', async () => {
  const other = await context.newPage();
  let isCut = false;
  const sockets = new Set();
  await other.routeWebSocket('**/api/live', socket => {
    if (isCut) {
      socket.close();
      return;
    }
    socket.connectToServer();
    sockets.add(socket);
  });
  await other.goto(base);
  await live(other);
  isCut = true;
  for (const socket of sockets) {
    await socket.close();
  }
  await other.locator('#connection[data-state="reconnecting"]').waitFor();
  await other.locator('#stale').waitFor();
  isCut = false;
  await live(other);
  await other.locator('#stale').waitFor({ state: 'hidden' });
  const before = await rawCount(other);
  await until('new counts', async () => await rawCount(other) !== before);
  await other.close();
});

await check('Nothing is wider than a small phone', async () => {
  const phone = listen(await context.newPage());
  await phone.setViewportSize({ width: 400, height: 860 });
  await phone.goto(`${base}/#/devices/${encodeURIComponent(device.deviceId)}`);
  await live(phone);
  await until('points', async () => Number(await phone.locator('.chart').getAttribute('data-points')) > 0);
  await phone.click('#explain summary');
  await phone.locator('#explain-body [data-operator]').first().waitFor();
  for (const width of [400, 420]) {
    await phone.setViewportSize({ width, height: 860 });
    const overhang = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overhang <= 0, `at ${width} px the page is ${overhang} px too wide`);
  }
  await phone.close();
});

await close(browser);
