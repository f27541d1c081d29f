import { byId, html, setStatusChip, setText } from './elements.js';
import { ask } from './api.js';
import { amount, count, multiply } from './exact.js';
import { Lanes, eventWords, inOrder, span, timelineRows } from './lanes.js';

const refreshPauseMs = 250;

/** One order in a dialog of its own, at #/orders/ID; it grows while its events come. */
export class OrderView {
  #store;
  #dialog = byId('order');
  #lanes = new Lanes(byId('order-lanes'), (step, start, cause) => drawEvent(step, start, cause));
  #orderId = null;
  #order = null;
  #asked = null;
  #refreshTimer = 0;

  constructor(store) {
    this.#store = store;
  }

  start() {
    addEventListener('hashchange', () => this.#follow());
    this.#dialog.addEventListener('close', () => this.#left());
    this.#dialog.addEventListener('click', event => event.target === this.#dialog && this.#dialog.close());
    byId('order-close').addEventListener('click', () => this.#dialog.close());
    byId('order-retry').addEventListener('click', () => this.#ask());
    this.#store.on('order', () => this.#draw());
    this.#store.on('connection', () => this.#store.connection === 'live' && this.#orderId && this.#ask());
    this.#follow();
  }

  /** Is this text of an event about the open order? Asked before it is parsed, for most are not. */
  concerns(text) {
    return this.#orderId !== null && text.includes(this.#orderId);
  }

  takeEvent(orderId, event) {
    if (orderId !== this.#orderId || !this.#order?.timeline || this.#order.timeline.some(known => known.id === event.id)) {
      return;
    }
    this.#order = { ...this.#order, timeline: [...this.#order.timeline, event] };
    this.#store.touch('order');
  }

  /** The order changed: its status, reason and timeline are asked anew, at most four times a second. */
  takeChange(orderId) {
    if (orderId === this.#orderId && !this.#refreshTimer) {
      this.#refreshTimer = setTimeout(() => this.#ask(), refreshPauseMs);
    }
  }

  #follow() {
    const match = /^#\/orders\/(.+)$/.exec(location.hash);
    const orderId = match ? decodeOrNull(match[1]) : null;
    if (!orderId) {
      this.#dialog.open && this.#dialog.close();
      return;
    }
    if (orderId === this.#orderId) {
      return;
    }
    this.#orderId = orderId;
    this.#order = null;
    this.#lanes.clear();
    document.querySelectorAll('dialog[open]').forEach(open => open !== this.#dialog && open.close());
    this.#dialog.open || this.#dialog.showModal();
    this.#dialog.scrollTop = 0;
    setText(byId('order-id'), orderId);
    document.title = `${orderId} · Millrace Shop`;
    this.#show('loading');
    this.#ask();
  }

  #left() {
    this.#asked?.abort();
    this.#orderId = null;
    this.#order = null;
    document.title = 'Millrace Shop';
    if (location.hash.startsWith('#/orders/')) {
      history.pushState(null, '', location.pathname + location.search);
    }
  }

  async #ask() {
    clearTimeout(this.#refreshTimer);
    this.#refreshTimer = 0;
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    try {
      const order = await ask(`/api/orders/${encodeURIComponent(this.#orderId)}`, { signal: asked.signal });
      if (asked === this.#asked && !asked.signal.aborted) {
        this.#order = { ...order, timeline: merge(order.timeline ?? [], this.#order?.timeline ?? []) };
        this.#store.touch('order');
      }
    } catch (problem) {
      if (!asked.signal.aborted && !this.#order) {
        setText(byId('order-problem'), problem.message);
        byId('order-retry').hidden = problem.status === 404;
        this.#show('error');
      }
    }
  }

  #show(state) {
    this.#dialog.dataset.state = state;
    byId('order-chip').hidden = state !== 'ready';
  }

  #draw() {
    const order = this.#order;
    if (!order) {
      return;
    }
    this.#show('ready');
    setStatusChip(byId('order-chip'), order.status);
    const reason = byId('order-reason');
    reason.hidden = !order.reason;
    setText(reason, order.reason ?? '');
    const currency = order.currency ?? this.#store.currency;
    const steps = inOrder(order.timeline);
    byId('order-facts').replaceChildren(...facts(order, steps));
    byId('order-items').replaceChildren(...order.items.map(itemRow));
    setText(byId('order-total'), `${amount(order.total)}${currency ? ` ${currency}` : ''}`);
    this.#lanes.draw(order.timeline, order.status === 'PENDING');
    byId('order-timeline').replaceChildren(...timelineRows(order.timeline));
  }
}

function decodeOrNull(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

// An event of the feed may be newer than the answer that it meets.
function merge(answered, known) {
  const ids = new Set(answered.map(event => event.id));
  return [...answered, ...known.filter(event => !ids.has(event.id))];
}

function facts(order, steps) {
  const first = steps[0];
  const settled = steps.find(step => /\.order\.(confirmed|cancelled)$/.test(step.event.type));
  const address = order.shippingAddress;
  return [
    fact('Customer', order.customerId),
    fact('Placed', first ? localTime(first.event.time) : localTime(order.placedAt)),
    fact('Settled', order.status === 'PENDING' ? 'not yet' : settled ? `after ${span(settled.at - first.at)}` : '–'),
    fact('Events', count(steps.length)),
    address && fact('Ships to', [address.street, address.city, address.country].filter(Boolean).join(', ')),
  ].filter(Boolean);
}

function fact(name, value) {
  return html('div', {}, html('dt', {}, name), html('dd', {}, value ?? '–'));
}

function itemRow(item) {
  return html('tr', {},
    html('th', { scope: 'row' }, item.sku),
    html('td', { class: 'number' }, count(item.quantity)),
    html('td', { class: 'number' }, amount(item.price)),
    html('td', { class: 'number' }, amount(multiply(item.price, item.quantity))));
}

function drawEvent({ event, at, service }, start, cause) {
  const detail = byId('order-event');
  detail.dataset.service = service.key;
  detail.replaceChildren(
    html('h4', {}, eventWords(event.type), html('span', { class: 'soft' }, ` by ${service.name}`)),
    html('dl', { class: 'facts' },
      fact('Id', event.id),
      fact('Type', event.type),
      fact('Time', `${localTime(event.time, true)} (+${span(at - start)})`),
      fact('Caused by', cause ? `${eventWords(cause.event.type)} (${event.causation})` : event.causation ?? 'a request from outside')));
}

const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const dayExact = new Intl.DateTimeFormat('en-GB', {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3,
});

function localTime(time, isExact = false) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time ?? '–') : (isExact ? dayExact : day).format(date);
}
