import { announce, byId, html, orderHash } from './elements.js';
import { ask } from './api.js';
import { isJsonNumber } from './exact.js';
import { clearProblem, showProblem } from './fields.js';

const linesMax = 20;

/** The form that places an order, in a dialog. */
export function showPlacing(store) {
  new Placing(store).start();
}

class Placing {
  #store;
  #dialog = byId('place');
  #form = byId('place-form');
  #lines = byId('place-items');
  #attempt = { body: null, key: null };

  constructor(store) {
    this.#store = store;
  }

  start() {
    byId('place-open').addEventListener('click', () => this.#open());
    byId('place-close').addEventListener('click', () => this.#dialog.close());
    byId('place-add').addEventListener('click', () => this.#addLine('', '1').querySelector('input').focus());
    this.#dialog.addEventListener('click', event => event.target === this.#dialog && this.#dialog.close());
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      this.#send();
    });
  }

  #open() {
    const levels = [...this.#store.levels.values()];
    byId('skus').replaceChildren(...levels.slice(0, 200).map(level => html('option', { value: level.sku })));
    if (this.#lines.childElementCount === 0) {
      this.#addLine(levels.find(level => level.available > 0)?.sku ?? '', '1');
    }
    clearProblem(this.#form);
    this.#dialog.showModal();
  }

  #addLine(sku, quantity) {
    const line = html('div', { class: 'item-line' },
      html('div', { class: 'field' },
        html('label', {}, 'SKU', html('input', { list: 'skus', value: sku, autocomplete: 'off', 'data-member': 'sku' }))),
      html('div', { class: 'field' },
        html('label', {}, 'Quantity', html('input', { value: quantity, inputmode: 'numeric', 'data-member': 'quantity' }))),
      html('button', { type: 'button', class: 'quiet', 'aria-label': 'Remove this item', onclick: () => this.#removeLine(line) }, '×'));
    this.#lines.append(line);
    this.#nameLines();
    return line;
  }

  #removeLine(line) {
    line.remove();
    clearProblem(this.#form);
    this.#nameLines();
    byId('place-add').focus();
  }

  // The name of an input is the path of its field in the body, which is how the server's messages find it.
  #nameLines() {
    [...this.#lines.children].forEach((line, index) => {
      line.querySelectorAll('input').forEach(input => {
        input.name = `items[${index}].${input.dataset.member}`;
      });
    });
    byId('place-add').disabled = this.#lines.childElementCount >= linesMax;
  }

  async #send() {
    const body = this.#body();
    if (body !== this.#attempt.body) {
      this.#attempt = { body, key: newKey() };
    }
    const button = byId('place-send');
    button.disabled = true;
    clearProblem(this.#form);
    try {
      // The same order sent again after a lost answer carries the same key, so it is placed once.
      const { orderId } = await ask('/api/orders', { method: 'POST', body, headers: { 'idempotency-key': this.#attempt.key } });
      this.#attempt = { body: null, key: null };
      announce(`Order ${orderId} placed.`);
      this.#dialog.close();
      location.hash = orderHash(orderId);
    } catch (problem) {
      showProblem(this.#form, problem);
    } finally {
      button.disabled = false;
    }
  }

  // Written by hand, because a quantity goes out digit for digit, and one that is no number goes out as text for the server to refuse.
  #body() {
    const items = [...this.#lines.children].map(line => object(
      [...line.querySelectorAll('input')].map(input => [input.dataset.member, input.value, input.dataset.member === 'quantity'])));
    const value = name => this.#form.elements[name].value;
    const address = object(['street', 'city', 'country'].map(name => [name, value(`shippingAddress.${name}`)]));
    const head = object([['customerId', value('customerId')], ['currency', value('currency')]]).slice(1, -1);
    return `{${head ? `${head},` : ''}"items":[${items}],"shippingAddress":${address}}`;
  }
}

// An empty field is left out: the server then says that it is missing.
function object(members) {
  const written = members
    .map(([name, value, isNumber]) => [name, value.trim(), isNumber])
    .filter(([, text]) => text !== '')
    .map(([name, text, isNumber]) => `"${name}":${isNumber && isJsonNumber(text) ? text : JSON.stringify(text)}`);
  return `{${written.join(',')}}`;
}

function newKey() {
  // crypto.randomUUID exists only on secure origins; a Shop on another host of the local network is not one.
  return [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
}
