import { announce, byId, html, setText } from './elements.js';
import { ask } from './api.js';
import { amount, count, isJsonNumber } from './exact.js';
import { clearProblem, showProblem } from './fields.js';

const rowsMax = 12;
const lowBelow = 10;

/** The stock, page by page, with its levels live, and each level open to change. */
export function showStock(store) {
  new Stock(store).start();
}

class Stock {
  #store;
  #body = byId('stock-body');
  #rows = new Map();
  #skus = [];
  #page = 1;
  #total = null;
  #sku = '';
  #problem = null;
  #asked = null;

  constructor(store) {
    this.#store = store;
  }

  start() {
    this.#store.on('stock', () => this.#draw(), 200);
    this.#store.on('connection', () => this.#store.connection === 'live' && this.#ask());
    byId('stock-earlier').addEventListener('click', () => this.#turn(-1));
    byId('stock-later').addEventListener('click', () => this.#turn(1));
    byId('stock-search').addEventListener('submit', event => {
      event.preventDefault();
      this.#find(byId('stock-text').value.trim());
    });
    // The cross of a search field empties it without a submit.
    byId('stock-text').addEventListener('input', event => event.target.value === '' && this.#find(''));
  }

  #turn(step) {
    this.#page += step;
    this.#ask();
  }

  #find(sku) {
    this.#sku = sku;
    this.#page = 1;
    this.#ask();
  }

  async #ask() {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    const seen = this.#store.levelsSeen;
    try {
      const found = await this.#load(asked.signal);
      this.#store.takeLevels(found.items, seen);
      this.#skus = found.items.map(level => level.sku);
      this.#total = found.total;
      this.#problem = null;
    } catch (problem) {
      if (asked.signal.aborted) {
        return;
      }
      this.#skus = problem.status === 404 ? [] : this.#skus;
      this.#problem = problem;
    }
    this.#draw();
  }

  async #load(signal) {
    if (!this.#sku) {
      return ask(`/api/inventory?page=${this.#page}&pageSize=${rowsMax}`, { signal });
    }
    return { items: [await ask(`/api/inventory/${encodeURIComponent(this.#sku)}`, { signal })], total: 1 };
  }

  #draw() {
    const levels = this.#skus.map(sku => this.#store.levels.get(sku)).filter(Boolean);
    const top = Math.max(1, ...levels.map(level => level.available + level.reserved));
    const kept = new Map(levels.map(level => [level.sku, this.#rows.get(level.sku) ?? new StockRow(this.#store, level.sku)]));
    for (const level of levels) {
      kept.get(level.sku).draw(level, top);
    }
    const nodes = [...kept.values()].map(row => row.node);
    if (nodes.length !== this.#body.children.length || nodes.some((node, index) => node !== this.#body.children[index])) {
      this.#body.replaceChildren(...nodes);
    }
    this.#rows = kept;

    const pages = Math.max(1, Math.ceil((this.#total ?? 0) / rowsMax));
    byId('stock-pages').hidden = pages === 1 || this.#sku !== '';
    setText(byId('stock-page'), `Page ${count(this.#page)} of ${count(pages)} · ${count(this.#total ?? 0)} SKUs`);
    byId('stock-earlier').disabled = this.#page <= 1;
    byId('stock-later').disabled = this.#page >= pages;
    const message = byId('stock-message');
    message.hidden = levels.length > 0 && !this.#problem;
    message.classList.toggle('error', this.#problem !== null);
    setText(message, this.#problem?.message ?? (this.#total === null ? 'Waiting for the Shop…' : 'The catalogue is empty.'));
  }
}

/** One SKU: its figures, or the form that changes them. */
class StockRow {
  #store;
  #sku;
  #level = null;
  #name = html('th', { scope: 'row' });
  #available = html('span', { class: 'bar-available' });
  #reserved = html('span', { class: 'bar-reserved' });
  #bar = html('div', { class: 'bar', role: 'img' }, this.#reserved, this.#available);
  #figures = html('td', { class: 'number' });
  #kept = html('td', { class: 'number wide' });
  #price = html('td', { class: 'number' });
  #flag = html('span', { class: 'chip', 'data-status': 'LOW' });
  #edit;
  #cells;

  constructor(store, sku) {
    this.#store = store;
    this.#sku = sku;
    this.#edit = html('button', { type: 'button', class: 'quiet', 'aria-label': `Edit ${sku}`, onclick: () => this.#open() }, 'Edit');
    this.#name.append(html('span', { class: 'sku', title: sku }, sku), ' ', this.#flag);
    this.#cells = [
      this.#name, html('td', { class: 'bar-cell' }, this.#bar), this.#figures, this.#kept, this.#price,
      html('td', { class: 'action' }, this.#edit),
    ];
    this.node = html('tr', {}, this.#cells);
  }

  draw(level, top) {
    const { available, reserved } = level;
    this.#available.style.width = `${available * 100 / top}%`;
    this.#reserved.style.width = `${reserved * 100 / top}%`;
    if (level === this.#level) {
      return;
    }
    this.#level = level;
    setText(this.#figures, count(available));
    setText(this.#kept, count(reserved));
    setText(this.#price, amount(level.price));
    this.#bar.setAttribute('aria-label', `${available} available, ${reserved} reserved`);
    this.#flag.hidden = available >= lowBelow;
    this.#flag.dataset.status = available === 0 ? 'OUT' : 'LOW';
    setText(this.#flag, available === 0 ? 'Out' : 'Low');
    this.node.classList.toggle('low', available < lowBelow);
  }

  #open() {
    const form = html('form', { class: 'stock-form', id: `stock-${this.#sku}`, novalidate: true, autocomplete: 'off' },
      html('strong', { class: 'sku' }, this.#sku),
      field(this.#sku, 'available', String(this.#level.available), 'numeric'),
      field(this.#sku, 'price', String(this.#level.price), 'decimal'),
      html('div', { class: 'form-actions' },
        html('button', { type: 'submit', class: 'primary' }, 'Save'),
        html('button', { type: 'button', onclick: () => this.#close() }, 'Cancel')),
      html('div', { class: 'form-problem' }));
    form.addEventListener('submit', event => {
      event.preventDefault();
      this.#save(form);
    });
    form.addEventListener('keydown', event => event.key === 'Escape' && this.#close());
    this.node.classList.add('editing');
    this.node.replaceChildren(html('td', { colspan: this.#cells.length }, form));
    form.elements.available.select();
  }

  #close() {
    this.node.classList.remove('editing');
    this.node.replaceChildren(...this.#cells);
    this.#edit.focus();
  }

  async #save(form) {
    const button = form.querySelector('[type=submit]');
    button.disabled = true;
    clearProblem(form);
    const members = ['available', 'price']
      .map(name => [name, form.elements[name].value.trim()])
      .filter(([, text]) => text !== '')
      .map(([name, text]) => `${JSON.stringify(name)}:${isJsonNumber(text) ? text : JSON.stringify(text)}`);
    const seen = this.#store.levelsSeen;
    try {
      const level = await ask(`/api/inventory/${encodeURIComponent(this.#sku)}`, { method: 'PUT', body: `{${members.join(',')}}` });
      if (level?.sku) {
        this.#store.takeLevels([level], seen);
      }
      announce(`${this.#sku} saved.`);
      this.#close();
    } catch (problem) {
      button.disabled = false;
      showProblem(form, problem);
    }
  }
}

function field(sku, name, value, inputmode) {
  const id = `stock-${sku}-${name}`;
  return html('div', { class: 'field' },
    html('label', { for: id }, name === 'price' ? 'Price' : 'Available'),
    html('input', { id, name, value, inputmode, class: 'number' }));
}
