// Drives the Shop's page in a real browser against a running Shop:
//
//   npm ci --omit=optional
//   node check.mjs http://127.0.0.1:5080
//
// The Shop must be fresh or not, with or without simulated customers: the check places orders of its own.
// CHROMIUM names the browser where it is not in one of the usual places. The last line reads `N passed, N failed`.
import { check, close, expect, listen, live, open, until } from './harness.mjs';

const base = (process.argv[2] ?? 'http://127.0.0.1:5080').replace(/\/$/, '');
const orderBody = sku => JSON.stringify({
  customerId: 'CUST-PAGE', currency: 'USD', items: [{ sku, quantity: 1 }],
  shippingAddress: { street: '1 Mill Lane', city: 'Seattle', country: 'US' },
});

async function place(sku) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${base}/api/orders`, { method: 'POST', headers, body: orderBody(sku) });
  const text = await response.text();
  expect(response.status === 202, `POST /api/orders answered ${response.status}: ${text}`);
  return JSON.parse(text).orderId;
}

async function settled(orderId) {
  return until(`${orderId} to settle`, async () => {
    const order = await (await fetch(`${base}/api/orders/${orderId}`)).json();
    return order.status !== 'PENDING' && order;
  });
}

const number = async (page, id) => Number((await page.locator(`#${id}`).textContent()).replace(/[^\d.-]/g, ''));
const settledCount = async page => await number(page, 'total-confirmed') + await number(page, 'total-cancelled');

const { browser, context } = await open();
const page = listen(await context.newPage());
let sku;
let orderId;

await check('The page opens and its feed goes live', async () => {
  await page.goto(base);
  await live(page);
  await until('totals', async () => /^\d/.test(await page.locator('#total-confirmed').textContent()));
});

await check('The stock is shown with its levels', async () => {
  const row = page.locator('#stock-body tr').first();
  await row.waitFor();
  const stock = await (await fetch(`${base}/api/inventory?pageSize=200`)).json();
  sku = stock.items.find(level => level.available > 20)?.sku;
  expect(sku, 'no SKU has more than 20 available');
});

await check('Counts change and a new order appears without reload', async () => {
  await page.evaluate(() => { window.isSamePage = true; });
  const before = await settledCount(page);
  orderId = await place(sku);
  await settled(orderId);
  await until('a higher count', async () => await settledCount(page) > before);
  expect(await page.evaluate(() => window.isSamePage), 'the page was loaded again');
});

await check('Lag and events are shown per group and per topic', async () => {
  const stats = await (await fetch(`${base}/api/stats`)).json();
  for (const [list, names] of [['topics', Object.keys(stats.events)], ['groups', Object.keys(stats.lag)]]) {
    const shown = await page.locator(`#${list} .meter-name`).allTextContents();
    expect(names.length > 0 && names.every(name => shown.includes(name)), `${list}: ${shown} instead of ${names}`);
  }
});

await check('A search by order id finds the order, and the keyboard opens it', async () => {
  await page.fill('#orders-text', orderId);
  const link = page.locator(`#orders-body tr[data-id="${orderId}"] a`);
  await link.waitFor();
  await until('one row', async () => await page.locator('#orders-body tr').count() === 1);
  await link.press('Enter');
  await page.locator('#order[open][data-state="ready"]').waitFor();
  expect((await page.locator('#order-id').textContent()) === orderId, 'another order opened');
  expect(page.url().endsWith(`#/orders/${orderId}`), `the address is ${page.url()}`);
});

await check('Its events stand in four lanes with arrows from cause to effect', async () => {
  const order = await settled(orderId);
  await until('every event', async () => await page.locator('.lane-node').count() >= order.timeline.length);
  expect(await page.locator('.lane').count() >= 4, 'fewer than four lanes');
  const nodes = await page.locator('.lane-node').evaluateAll(all => Object.fromEntries(
    all.map(node => [node.dataset.event, node.querySelector('circle').getBoundingClientRect().x])));
  const known = order.timeline.filter(event => nodes[event.causation] !== undefined);
  expect(known.length >= 2, `only ${known.length} events name a cause in the timeline`);
  for (const event of known) {
    expect(nodes[event.causation] < nodes[event.id], `${event.id} stands left of its cause`);
    expect(await page.locator(`.lane-arrow[data-cause="${event.causation}"][data-effect="${event.id}"]`).count() === 1,
      `no arrow leads to ${event.id}`);
  }
  if (order.status === 'CONFIRMED') {
    await page.locator('.lane-node[data-service="notifications"]').waitFor();
  }
});

await check('The arrow keys walk through the events and show each one', async () => {
  await page.locator('.lane-node[aria-selected="true"]').focus();
  await page.keyboard.press('Home');
  const first = await page.locator('#order-event').textContent();
  await page.keyboard.press('ArrowRight');
  const second = await page.locator('#order-event').textContent();
  expect(first !== second && first.includes('order.created'), `first "${first}", then "${second}"`);
});

await check('The total is shown with the digits that the server sent', async () => {
  const text = await (await fetch(`${base}/api/orders/${orderId}`)).text();
  const [, whole, fraction = ''] = /"total":(\d+)(?:\.(\d+))?/.exec(text);
  const expected = `${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction.padEnd(2, '0')}`;
  const shown = await page.locator('#order-total').textContent();
  expect(shown.startsWith(expected), `${shown} instead of ${expected}`);
});

await check('Escape closes the order and clears the address', async () => {
  await page.keyboard.press('Escape');
  await page.locator('#order:not([open])').waitFor({ state: 'attached' });
  expect(!page.url().includes('#/orders'), `the address is ${page.url()}`);
});

await check('A filter by status shows that status only', async () => {
  const { status } = await settled(orderId);
  await page.fill('#orders-text', 'CUST-PAGE');
  await page.selectOption('#orders-status', status);
  await page.locator(`#orders-body tr[data-id="${orderId}"]`).waitFor();
  const shown = await page.locator('#orders-body .chip').evaluateAll(chips => chips.map(chip => chip.dataset.status));
  expect(shown.length > 0 && shown.every(one => one === status), `${shown}`);
  await page.fill('#orders-text', '');
  await page.selectOption('#orders-status', '');
});

await check('An order with errors is refused at its fields and, corrected, is placed and settles before the eyes', async () => {
  await page.click('#place-open');
  await page.fill('#place-customer', '');
  await page.fill('[name="items[0].quantity"]', '0');
  await page.click('#place-send');
  await page.locator('#place-form .field-error').first().waitFor();
  const faulty = await page.locator('#place-form [aria-invalid]').evaluateAll(inputs => inputs.map(input => input.name));
  expect(faulty.length > 0 && faulty.every(name => ['customerId', 'items[0].quantity'].includes(name)), `at fault: ${faulty}`);

  await page.fill('#place-customer', 'CUST-PAGE');
  await page.fill('[name="items[0].sku"]', sku);
  await page.fill('[name="items[0].quantity"]', '1');
  await page.click('#place-send');
  await page.locator('#order[open][data-state="ready"]').waitFor();
  await until('the order to settle in the dialog', async () =>
    ['CONFIRMED', 'CANCELLED'].includes(await page.locator('#order-chip').getAttribute('data-status')));
  await until('three events', async () => await page.locator('.lane-node').count() >= 3);
  await page.keyboard.press('Escape');
});

await check('A price with errors is refused at its field, and a good one is saved and shown', async () => {
  await page.fill('#stock-text', sku);
  await page.press('#stock-text', 'Enter');
  await until('one SKU', async () => await page.locator('#stock-body tr').count() === 1);
  const before = await (await fetch(`${base}/api/inventory/${encodeURIComponent(sku)}`)).text();
  const [, price] = /"price":([\d.]+)/.exec(before);
  await page.click('#stock-body button');
  await page.fill('#stock-body [name=price]', '-1');
  await page.click('#stock-body [type=submit]');
  await page.locator('#stock-body [name=price][aria-invalid]').waitFor();
  await page.fill('#stock-body [name=price]', '109.90');
  await page.click('#stock-body [type=submit]');
  await page.locator('#stock-body form').waitFor({ state: 'detached' });
  await until('109.90', async () => (await page.locator('#stock-body tr').textContent()).includes('109.90'));

  await page.click('#stock-body button');
  await page.fill('#stock-body [name=price]', price);
  await page.click('#stock-body [type=submit]');
  await page.locator('#stock-body form').waitFor({ state: 'detached' });
  await page.fill('#stock-text', '');
});

await check('The theme toggles, and the choice outlives a reload', async () => {
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click('#theme');
  expect(await theme() === 'dark' && await ground() !== light, 'the page did not turn dark');
  await page.reload();
  await live(page);
  expect(await theme() === 'dark', 'the choice was forgotten');
  await page.click('#theme');
  expect(await theme() === 'light' && await ground() === light, 'the page did not turn light again');
});

await check('A link to an order opens it, and an unknown one says so', async () => {
  const other = listen(await context.newPage());
  await other.goto(`${base}/#/orders/${orderId}`);
  await other.locator('#order[open][data-state="ready"] .lane-node').first().waitFor();
  await other.evaluate(() => { location.hash = '#/orders/ORD-NO-SUCH-ORDER'; });
  await other.locator('#order[data-state="error"] #order-problem').waitFor();
  expect((await other.locator('#order-problem').textContent()).length > 0, 'no message');
  await other.close();
});

await check('Text that looks like markup stays text', async () => {
  const other = listen(await context.newPage());
  const hostile = '<img src=x onerror=window.isBroken=true>';
  await other.route('**/api/orders/HOSTILE', route => route.fulfill({
    json: {
      orderId: 'HOSTILE', customerId: hostile, status: 'CANCELLED', reason: hostile, total: 1,
      items: [{ sku: hostile, quantity: 1, price: 1 }],
      timeline: [{ id: hostile, type: `com.${hostile}`, service: hostile, time: '2026-01-25T10:30:00Z', causation: hostile }],
    },
  }));
  await other.goto(`${base}/#/orders/HOSTILE`);
  await other.locator('#order[open][data-state="ready"]').waitFor();
  expect(await other.locator('#order img').count() === 0, 'markup entered the document');
  expect((await other.locator('#order-reason').textContent()) === hostile, 'the text is not shown as it is');
  expect(!await other.evaluate(() => window.isBroken), 'a script ran');
  await other.close();
});

await check('A lost feed is shown as such, and comes back by itself with what happened meanwhile', async () => {
  const other = await context.newPage();
  let isCut = true;
  await other.route('**/api/live', route => isCut ? route.abort() : route.continue());
  await other.goto(base);
  await other.locator('#connection[data-state="reconnecting"]').waitFor();
  const missed = await place(sku);
  await settled(missed);
  isCut = false;
  await live(other);
  await other.fill('#orders-text', missed);
  await other.locator(`#orders-body tr[data-id="${missed}"]`).waitFor();
  await other.close();
});

await check('Nothing is wider than a small phone', async () => {
  await page.setViewportSize({ width: 380, height: 800 });
  const overhang = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(await overhang() <= 0, `the page is ${await overhang()} px too wide`);
  await page.evaluate(id => { location.hash = `#/orders/${id}`; }, orderId);
  await page.locator('#order[open][data-state="ready"] .lane-node').first().waitFor();
  const dialog = await page.locator('#order').evaluate(node => node.scrollWidth - node.clientWidth);
  expect(dialog <= 0, `the order is ${dialog} px too wide`);
});

await close(browser);
