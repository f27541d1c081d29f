import { byId, html, setStatusChip, setText } from './elements.js';
import { reading, utc } from './format.js';

/** What the device under the pointer is, beside its cell; its value stays live while it is shown. */
export class Tip {
  #store;
  #host;
  #node = byId('map-tip');
  #ring = byId('map-ring');
  #index = -1;
  #name = html('strong');
  #value = html('span', { class: 'tip-value' });
  #chip = html('span', { class: 'chip' });
  #where = html('span', { class: 'soft' });
  #time = html('span', { class: 'soft' });

  constructor(store, host) {
    this.#store = store;
    this.#host = host;
    this.#node.append(this.#name, this.#value, ' ', this.#chip, this.#where, this.#time);
  }

  static enclose(ring, { x, y, size }) {
    ring.style.transform = `translate(${x - 2}px, ${y - 2}px)`;
    ring.style.width = ring.style.height = `${size + 4}px`;
  }

  show(index, box) {
    if (index === this.#index) {
      return;
    }
    this.#index = index;
    this.#node.hidden = this.#ring.hidden = false;
    Tip.enclose(this.#ring, box);
    this.draw();
    // To the right and below, but where that would leave the map, to the left and above.
    const { offsetWidth: width, offsetHeight: height } = this.#node;
    const x = box.x + box.size + 10 + width > this.#host.clientWidth ? box.x - width - 10 : box.x + box.size + 10;
    const y = box.y + box.size + 6 + height > this.#host.clientHeight ? box.y - height - 6 : box.y + box.size + 6;
    this.#node.style.transform = `translate(${Math.max(0, x)}px, ${Math.max(0, y)}px)`;
  }

  hide() {
    this.#index = -1;
    this.#node.hidden = this.#ring.hidden = true;
  }

  draw() {
    if (this.#index < 0) {
      return;
    }
    const { devices } = this.#store;
    setText(this.#name, devices.ids[this.#index] ?? '');
    setText(this.#value, `${reading(devices.values[this.#index])} ${devices.units[this.#index] ?? ''}`);
    setStatusChip(this.#chip, devices.statusOf(this.#index));
    setText(this.#where, `${devices.types[this.#index]} in ${devices.zones[this.#index]}`);
    const time = devices.times[this.#index];
    setText(this.#time, Number.isNaN(time) ? 'no reading yet' : `${utc(time)} UTC`);
  }
}
