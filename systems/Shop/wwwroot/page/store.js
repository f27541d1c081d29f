// What the page knows, and when it draws it. Events change the store at once; the document changes once per animation frame and
// part, and a part may ask for a calmer pace. So a thousand orders a second cost as many map entries, but only a few drawings.

const ordersMax = 200;
const mailsMax = 500;
const levelsMax = 20_000;

/** The parts that are drawn on their own: connection, stats, orders, stock, mails, order. */
export class Store {
  connection = 'connecting';
  /** The one currency of the amounts in the statistics and the catalogue. */
  currency = '';
  stats = null;
  /** Newest orders by id, oldest first; at most 200. */
  orders = new Map();
  /** Orders that the table holds still; kept up to date even when newer ones pushed them out of `orders`. */
  heldOrders = new Map();
  /** Orders that entered since the page was opened; for "12 newer". */
  ordersSeen = 0;
  /** Stock levels by SKU, of the SKUs that were shown or changed; at most 20,000. */
  levels = new Map();
  /** Level events so far: tells an answer that was asked before a newer event. */
  levelsSeen = 0;
  /** Mails that the feed told of, by order id, oldest first; at most 500. */
  mails = new Map();

  #levelTimes = new Map();
  #renderers = new Map();
  #dirty = new Set();
  #frame = 0;
  #timer = 0;

  /** Calls `render` in an animation frame after `part` was touched, at most every `pauseMs`. */
  on(part, render, pauseMs = 0) {
    this.#renderers.set(part, [...(this.#renderers.get(part) ?? []), { render, pauseMs, drawnAt: -Infinity, isDue: false }]);
  }

  touch(part) {
    for (const renderer of this.#renderers.get(part) ?? []) {
      renderer.isDue = true;
      this.#dirty.add(renderer);
    }
    this.#schedule();
  }

  takeSnapshot({ currency = '', stats, orders = [], inventory = [] }) {
    this.currency = currency;
    this.stats = stats;
    this.orders = new Map(orders.slice(0, ordersMax).reverse().map(order => [order.orderId, order]));
    for (const order of orders) {
      if (this.heldOrders.has(order.orderId)) {
        this.heldOrders.set(order.orderId, order);
      }
    }
    this.levels.clear();
    this.#levelTimes.clear();
    this.takeLevels(inventory, this.levelsSeen);
    for (const part of ['stats', 'orders', 'stock']) {
      this.touch(part);
    }
  }

  takeOrder(order) {
    if (this.heldOrders.has(order.orderId)) {
      this.heldOrders.set(order.orderId, order);
    }
    const oldest = this.orders.size < ordersMax ? undefined : this.orders.values().next().value;
    const isKnown = this.orders.has(order.orderId);
    if (!isKnown && oldest && Date.parse(order.placedAt) < Date.parse(oldest.placedAt)) {
      this.touch('orders'); // It settled after newer orders pushed it out: that does not make it new.
      return;
    }
    this.orders.set(order.orderId, order);
    this.ordersSeen += isKnown ? 0 : 1;
    if (this.orders.size > ordersMax) {
      this.orders.delete(this.orders.keys().next().value);
    }
    this.touch('orders');
  }

  /** A level from the feed. */
  takeLevel(level) {
    this.#levelTimes.set(level.sku, ++this.levelsSeen);
    this.takeLevels([level], this.levelsSeen);
  }

  /** Levels from an answer that was asked when `seen` level events had come; a newer event is not overwritten by it. */
  takeLevels(levels, seen) {
    for (const level of levels) {
      if ((this.#levelTimes.get(level.sku) ?? 0) <= seen) {
        this.levels.set(level.sku, level);
      }
    }
    for (const sku of this.levels.size > levelsMax ? this.levels.keys() : []) {
      this.levels.delete(sku);
      this.#levelTimes.delete(sku);
      if (this.levels.size <= levelsMax) {
        break;
      }
    }
    this.touch('stock');
  }

  takeMail(mail) {
    this.mails.set(mail.orderId, mail);
    if (this.mails.size > mailsMax) {
      this.mails.delete(this.mails.keys().next().value);
    }
    this.touch('mails');
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(now => this.#draw(now));
  }

  #draw(now) {
    this.#frame = 0;
    let wait = Infinity;
    for (const renderer of this.#dirty) {
      const rest = renderer.drawnAt + renderer.pauseMs - now;
      if (rest > 0) {
        wait = Math.min(wait, rest);
        continue;
      }
      this.#dirty.delete(renderer);
      renderer.drawnAt = now;
      renderer.render();
    }
    if (wait < Infinity && !this.#timer) {
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.#schedule();
      }, wait);
    }
  }
}
