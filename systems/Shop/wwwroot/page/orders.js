import { age, byId, html, orderHash, setStatusChip, setText, statusChip } from './elements.js';
import { ask } from './api.js';
import { amount, count } from './exact.js';

const rowsMax = 25;
const drawPauseMs = 200;
const refreshPauseMs = 2_000;

/** The latest orders, live; or the answer of a search, whose rows stay live too. */
export function showOrders(store) {
  new Orders(store).start();
}

class Orders {
  #store;
  #body = byId('orders-body');
  #rows = new Map();
  #isHeld = false;
  #isPaused = false;
  #isStill = false;
  #heldAt = 0;
  #search = { text: '', status: '', page: 1 };
  #found = null;
  #problem = null;
  #asked = null;
  #refreshTimer = 0;

  constructor(store) {
    this.#store = store;
  }

  start() {
    this.#store.on('orders', () => {
      this.#draw();
      this.#refreshLater();
    }, drawPauseMs);
    this.#store.on('connection', () => this.#store.connection === 'live' && this.#isSearch() && this.#ask());
    setInterval(() => document.hidden || this.#drawAges(), 1000);

    const form = byId('orders-search');
    let typing = 0;
    form.addEventListener('submit', event => {
      event.preventDefault();
      clearTimeout(typing);
      this.#searchFor({ text: byId('orders-text').value.trim() });
    });
    byId('orders-text').addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#searchFor({ text: byId('orders-text').value.trim() }), 350);
    });
    byId('orders-status').addEventListener('change', event => this.#searchFor({ status: event.target.value }));
    byId('orders-earlier').addEventListener('click', () => this.#turn(-1));
    byId('orders-later').addEventListener('click', () => this.#turn(1));

    byId('orders-pause').addEventListener('click', event => {
      this.#isPaused = !this.#isPaused;
      event.currentTarget.classList.toggle('on', this.#isPaused);
      setText(event.currentTarget, this.#isPaused ? 'Resume' : 'Pause');
      this.#hold();
    });
    // Rows that move under the pointer or the keyboard cannot be opened, so the list stands still meanwhile.
    this.#body.addEventListener('pointerenter', event => event.pointerType === 'mouse' && this.#setHeld(true));
    this.#body.addEventListener('pointerleave', () => this.#setHeld(this.#body.contains(document.activeElement)));
    this.#body.addEventListener('focusin', () => this.#setHeld(true));
    this.#body.addEventListener('focusout', event => this.#setHeld(this.#body.contains(event.relatedTarget)));
    this.#body.addEventListener('click', event => {
      const row = event.target.closest('tr[data-id]');
      if (row && !event.target.closest('a') && !getSelection().toString()) {
        location.hash = orderHash(row.dataset.id);
      }
    });
  }

  #setHeld(isHeld) {
    this.#isHeld = isHeld;
    this.#hold();
  }

  #hold() {
    const isStill = this.#isHeld || this.#isPaused;
    if (isStill && !this.#isStill) {
      this.#store.heldOrders = new Map(this.#latest().map(order => [order.orderId, order]));
      this.#heldAt = this.#store.ordersSeen;
    } else if (!isStill) {
      this.#store.heldOrders.clear();
    }
    this.#isStill = isStill;
    this.#store.touch('orders');
  }

  #isSearch() {
    return this.#search.text !== '' || this.#search.status !== '';
  }

  #searchFor(change) {
    const search = { ...this.#search, ...change, page: 1 };
    if (search.text === this.#search.text && search.status === this.#search.status) {
      return;
    }
    this.#search = search;
    this.#found = null;
    this.#problem = null;
    if (this.#isSearch()) {
      this.#ask();
    } else {
      this.#asked?.abort();
      byId('orders').removeAttribute('aria-busy');
    }
    this.#draw();
  }

  #turn(step) {
    this.#search = { ...this.#search, page: this.#search.page + step };
    this.#ask();
  }

  async #ask() {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    byId('orders').setAttribute('aria-busy', 'true');
    try {
      const found = await find(this.#search, asked.signal);
      if (asked !== this.#asked) {
        return;
      }
      this.#found = found;
      this.#problem = null;
    } catch (error) {
      if (asked.signal.aborted) {
        return;
      }
      this.#problem = error;
    }
    byId('orders').removeAttribute('aria-busy');
    this.#draw();
  }

  // Orders that enter or leave the searched set are found by asking again, at a human pace and only on the first page.
  #refreshLater() {
    if (!this.#isSearch() || this.#search.page > 1 || this.#isHeld || this.#isPaused || this.#refreshTimer) {
      return;
    }
    this.#refreshTimer = setTimeout(() => {
      this.#refreshTimer = 0;
      if (this.#isSearch() && this.#search.page === 1 && !document.hidden) {
        this.#ask();
      }
    }, refreshPauseMs);
  }

  #latest() {
    // The feed tells of an order when it changes, so the order of telling is not the order of placing.
    return [...this.#store.orders.values()]
      .map(order => ({ order, at: Date.parse(order.placedAt) }))
      .sort((a, b) => b.at - a.at || (a.order.orderId < b.order.orderId ? 1 : -1))
      .slice(0, rowsMax)
      .map(({ order }) => order);
  }

  #shown() {
    if (this.#isSearch()) {
      return this.#found?.items ?? [];
    }
    return this.#isStill ? [...this.#store.heldOrders.values()] : this.#latest();
  }

  #draw() {
    const now = Date.now();
    const orders = this.#shown();
    const kept = new Map();
    let place = this.#body.firstElementChild;
    for (const order of orders) {
      const row = this.#rows.get(order.orderId) ?? makeRow(order);
      kept.set(order.orderId, row);
      fillRow(row, this.#isSearch() ? this.#newest(order) : order, now);
      if (row.node === place) {
        place = place.nextElementSibling;
      } else {
        this.#body.insertBefore(row.node, place);
      }
    }
    while (place) {
      const next = place.nextElementSibling;
      place.remove();
      place = next;
    }
    this.#rows = kept;
    this.#drawNotes(orders.length);
  }

  // A searched row may have changed since it was found; its status in the feed is newer.
  #newest(order) {
    const live = this.#store.orders.get(order.orderId);
    return live && order.status === 'PENDING' ? { ...order, ...live } : order;
  }

  #drawNotes(shownCount) {
    const isSearch = this.#isSearch();
    const note = byId('orders-note');
    const newer = this.#store.ordersSeen - this.#heldAt;
    const hold = this.#isPaused ? 'Paused' : 'Held while you point at it';
    setText(note, isSearch || !this.#isStill ? '' : newer > 0 ? `${hold}: ${count(newer)} newer` : hold);
    byId('orders-pause').hidden = isSearch;

    const pages = this.#found ? Math.max(1, Math.ceil(this.#found.total / rowsMax)) : 1;
    byId('orders-pages').hidden = !isSearch || !this.#found || this.#found.total <= rowsMax;
    setText(byId('orders-page'), `Page ${count(this.#search.page)} of ${count(pages)} · ${count(this.#found?.total ?? 0)} orders`);
    byId('orders-earlier').disabled = this.#search.page <= 1;
    byId('orders-later').disabled = this.#search.page >= pages;

    const message = byId('orders-message');
    message.hidden = shownCount > 0 && !this.#problem;
    message.classList.toggle('error', this.#problem !== null);
    setText(message, this.#message(isSearch));
  }

  #message(isSearch) {
    if (this.#problem) {
      return this.#problem.message;
    }
    if (isSearch) {
      return this.#found ? 'No order matches.' : 'Searching…';
    }
    return this.#store.stats ? 'No orders yet. Place one, or start the Shop with --rate 5.' : 'Waiting for the Shop…';
  }

  #drawAges() {
    const now = Date.now();
    for (const row of this.#rows.values()) {
      drawAge(row, now);
    }
  }
}

// The API filters by customer and status; a single order has an address of its own, which is asked when no customer matches.
async function find({ text, status, page }, signal) {
  if (text && looksLikeOrderId(text)) {
    return findById(text, status, signal);
  }
  const query = new URLSearchParams({ page, pageSize: rowsMax });
  if (text) {
    query.set('customerId', text);
  }
  if (status) {
    query.set('status', status);
  }
  const found = await ask(`/api/orders?${query}`, { signal });
  return found.total === 0 && text ? findById(text, status, signal) : found;
}

function looksLikeOrderId(text) {
  return /^ORD-/i.test(text);
}

async function findById(orderId, status, signal) {
  try {
    const order = await ask(`/api/orders/${encodeURIComponent(orderId)}`, { signal });
    const items = status && order.status !== status ? [] : [order];
    return { items, total: items.length };
  } catch (error) {
    if (error.status === 404 || error.status === 400) {
      return { items: [], total: 0 };
    }
    throw error;
  }
}

function makeRow(order) {
  const chip = statusChip(order.status);
  const under = html('span', { class: 'under' });
  const items = html('td', { class: 'number wide' });
  const total = html('span');
  const underTotal = html('span', { class: 'under' });
  const since = html('td', { class: 'number wide age' });
  const customer = html('td', { class: 'wide' });
  const node = html('tr', { 'data-id': order.orderId },
    html('th', { scope: 'row' }, html('a', { href: orderHash(order.orderId) }, order.orderId), under),
    html('td', {}, chip), customer, items, html('td', { class: 'number' }, total, underTotal), since);
  return { node, chip, under, customer, items, total, underTotal, since, order: null };
}

function fillRow(row, order, now) {
  if (row.order !== order) {
    row.order = order;
    setStatusChip(row.chip, order.status);
    setText(row.customer, order.customerId ?? '');
    setText(row.under, order.customerId ?? '');
    setText(row.items, count((order.items ?? []).reduce((sum, item) => sum + item.quantity, 0)));
    setText(row.total, amount(order.total));
    if (order.reason) {
      row.chip.title = order.reason;
    }
  }
  drawAge(row, now);
}

function drawAge(row, now) {
  const words = age(row.order.placedAt, now);
  setText(row.since, words);
  setText(row.underTotal, words);
}
