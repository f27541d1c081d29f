import { byId, deviceHash, html, setText } from './elements.js';
import { placeMatcher, statusMatcher } from './filter.js';
import { count, reading } from './format.js';
import { indexAt, layOut } from './map-layout.js';
import { CellPainter } from './map-paint.js';
import { showLegend } from './legend.js';
import { Tip } from './tip.js';
import { fitCanvas, onPalette, palette } from './palette.js';
import { Ranges } from './scale.js';

const heightWanted = 498;
const paintMsMax = 5;
const paintAllMsMax = 16;
const paintsPerLook = 200;
const rangesPauseMs = 3_000;

/** All devices, a cell each, in the colours of their values. */
export function showMap(store) {
  new ZoneMap(store).start();
}

class ZoneMap {
  #store;
  #host = byId('map');
  #canvas = byId('map-canvas');
  #context = null;
  #painter = new CellPainter();
  #ranges = new Ranges();
  #layout = { blocks: [], pitch: 1, gap: 0, height: 0 };
  #width = 0;
  // By index of the device: its place (x below 0: not shown), and what was last painted there.
  #xs = new Int16Array(0);
  #ys = new Int16Array(0);
  #looks = new Int32Array(0);
  #isQueued = new Uint8Array(0);
  #queue = [];
  #isStatus = () => true;
  #frame = 0;
  #tip;
  #legend;
  #rings = new Map();

  constructor(store) {
    this.#store = store;
    this.#tip = new Tip(store, this.#host);
    this.#legend = showLegend();
  }

  start() {
    const store = this.#store;
    store.on('values', () => this.#takeChanges());
    store.on('values', () => this.#measure(), rangesPauseMs);
    store.on('devices', () => {
      this.#measure();
      this.#place();
    }, 500);
    store.on('filter', () => this.#place());
    store.on('layout', () => this.#place());
    store.on('selection', () => this.#drawRings());
    store.on('stats', () => this.#describe(), 5_000);
    onPalette(() => this.#paintAll());
    new ResizeObserver(() => this.#boxWidth() !== this.#width && store.touch('layout')).observe(this.#host);
    this.#watchPixelRatio();

    this.#canvas.addEventListener('pointermove', event => this.#point(event));
    this.#canvas.addEventListener('pointerleave', () => this.#tip.hide());
    this.#canvas.addEventListener('click', event => {
      const index = this.#indexUnder(event);
      if (index >= 0) {
        location.hash = deviceHash(store.devices.ids[index]);
      }
    });
  }

  #boxWidth() {
    const style = getComputedStyle(this.#host);
    return Math.floor(this.#host.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight));
  }

  // A window that moves to another screen changes its pixels without changing its size.
  #watchPixelRatio() {
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener('change', () => {
      this.#store.touch('layout');
      this.#watchPixelRatio();
    }, { once: true });
  }

  #measure() {
    if (this.#ranges.measure(this.#store.devices)) {
      this.#legend.drawRanges(this.#ranges.entries());
      this.#paintAll();
    }
  }

  #place() {
    const { devices, filter } = this.#store;
    const isShown = placeMatcher(devices, filter);
    this.#isStatus = statusMatcher(devices, filter);
    const zones = new Map();
    for (const index of devices.order()) {
      if (isShown(index)) {
        const zone = devices.zones[index];
        const indexes = zones.get(zone) ?? [];
        indexes.push(index);
        zones.set(zone, indexes);
      }
    }
    const groups = [...zones].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, indexes]) => ({
      // Cells of one type stand together, so that neighbours can be compared.
      name, indexes: indexes.sort((a, b) => (devices.types[a] < devices.types[b] ? -1 : devices.types[a] > devices.types[b] ? 1 : 0)),
    }));
    this.#tip.hide();
    this.#width = this.#boxWidth();
    this.#layout = layOut(groups, this.#width, heightWanted);
    this.#remember(devices.values.length);
    this.#context = null;
    this.#paintAll();
    this.#drawRings();
    this.#drawNotes(groups);
  }

  #remember(capacity) {
    this.#xs = new Int16Array(capacity).fill(-1);
    this.#ys = new Int16Array(capacity);
    this.#looks = new Int32Array(capacity);
    this.#isQueued = new Uint8Array(capacity);
    const { blocks, pitch } = this.#layout;
    for (const block of blocks) {
      block.indexes.forEach((index, at) => {
        this.#xs[index] = block.x + at % block.columns * pitch;
        this.#ys[index] = block.y + Math.floor(at / block.columns) * pitch;
      });
    }
  }

  // Everything anew, at once as far as a frame allows, because cells that come bit by bit would flicker; the rest by the queue.
  #paintAll() {
    const { height, pitch, gap, blocks } = this.#layout;
    this.#canvas.style.height = `${Math.max(1, height)}px`;
    this.#context = fitCanvas(this.#canvas, Math.max(1, this.#width), Math.max(1, height));
    this.#context.clearRect(0, 0, this.#width, height);
    this.#painter.begin(this.#context, pitch, gap);
    this.#looks.fill(-1);
    this.#isQueued.fill(0);
    this.#queue = [];
    for (const block of blocks) {
      this.#drawName(block);
      block.indexes.forEach(index => this.#enqueue(index));
    }
    this.#legend.drawKeys();
    this.#paint(paintAllMsMax);
  }

  #drawName({ name, indexes, x, y, width }) {
    const context = this.#context;
    const { ink, soft, font } = palette();
    context.textAlign = 'left';
    context.textBaseline = 'alphabetic';
    context.font = `600 12px ${font}`;
    let shown = name;
    while (shown.length > 1 && context.measureText(shown).width > width) {
      shown = `${shown.slice(0, shown.endsWith('…') ? -2 : -1)}…`;
    }
    context.fillStyle = ink;
    context.fillText(shown, x, y - 6);
    const nameWidth = context.measureText(shown).width;
    const number = count(indexes.length);
    context.font = `12px ${font}`;
    if (nameWidth + 8 + context.measureText(number).width < width) {
      context.fillStyle = soft;
      context.fillText(number, x + nameWidth + 6, y - 6);
    }
  }

  #takeChanges() {
    for (const index of this.#store.devices.takeChanged()) {
      this.#enqueue(index);
    }
    this.#paintLater();
    this.#tip.draw();
  }

  #enqueue(index) {
    if (index < this.#xs.length && this.#xs[index] >= 0 && this.#isQueued[index] === 0) {
      this.#isQueued[index] = 1;
      this.#queue.push(index);
    }
  }

  #paintLater() {
    if (this.#queue.length > 0) {
      this.#frame ||= requestAnimationFrame(() => {
        this.#frame = 0;
        this.#paint(paintMsMax);
      });
    }
  }

  #paint(msMax) {
    const end = performance.now() + msMax;
    let painted = 0;
    let at = 0;
    for (; at < this.#queue.length && (painted % paintsPerLook !== 0 || performance.now() < end); at++) {
      const index = this.#queue[at];
      this.#isQueued[index] = 0;
      painted += this.#paintCell(index) ? 1 : 0;
    }
    this.#queue = at === this.#queue.length ? [] : this.#queue.slice(at);
    this.#paintLater();
  }

  // Most new values have the colour of the old one: those cost no drawing.
  #paintCell(index) {
    const { devices } = this.#store;
    const value = devices.values[index];
    const status = devices.status[index];
    const step = Number.isNaN(value) ? NaN : this.#ranges.step(devices.types[index], value);
    const isDim = !this.#isStatus(index);
    const look = (Number.isNaN(step) ? 127 : step) << 4 | status << 1 | (isDim ? 1 : 0);
    if (look === this.#looks[index] && !this.#painter.showsText) {
      return false;
    }
    this.#looks[index] = look;
    this.#painter.paint(this.#xs[index], this.#ys[index], step, status, isDim, this.#painter.showsText ? reading(value) : '');
    return true;
  }

  #indexUnder(event) {
    const box = this.#canvas.getBoundingClientRect();
    return indexAt(this.#layout, event.clientX - box.left, event.clientY - box.top);
  }

  #point(event) {
    const index = this.#indexUnder(event);
    this.#canvas.style.cursor = index >= 0 ? 'pointer' : 'default';
    if (index < 0) {
      this.#tip.hide();
      return;
    }
    this.#tip.show(index, this.#box(index));
  }

  /** The cell's box within the host of the map. */
  #box(index) {
    const size = this.#layout.pitch - this.#layout.gap;
    return { x: this.#xs[index] + this.#canvas.offsetLeft, y: this.#ys[index] + this.#canvas.offsetTop, size };
  }

  #drawRings() {
    const { devices, pinned } = this.#store;
    for (const [id, ring] of this.#rings) {
      if (!pinned.includes(id)) {
        ring.remove();
        this.#rings.delete(id);
      }
    }
    for (const id of pinned) {
      const index = devices.indexOf(id);
      const ring = this.#rings.get(id) ?? html('span', { class: 'map-ring pinned' });
      this.#rings.set(id, ring);
      this.#host.append(ring);
      ring.hidden = index < 0 || index >= this.#xs.length || this.#xs[index] < 0;
      if (!ring.hidden) {
        Tip.enclose(ring, this.#box(index));
      }
    }
  }

  #drawNotes(groups) {
    const shown = groups.reduce((sum, group) => sum + group.indexes.length, 0);
    const all = this.#store.devices.count;
    const message = byId('map-message');
    message.hidden = shown > 0;
    setText(message, all > 0 ? 'No device matches.' : this.#store.stats ? 'No devices yet.' : 'Waiting for devices…');
    setText(byId('map-note'), shown === 0 ? '' : `${shown < all ? `${count(shown)} of ` : ''}${count(all)} ${all === 1 ? 'device' : 'devices'} in ${
      count(groups.length)} ${groups.length === 1 ? 'zone' : 'zones'}`);
  }

  #describe() {
    const { ok, warning, critical, silent } = this.#store.stats.devices;
    this.#canvas.setAttribute('aria-label', `Map of ${this.#store.devices.count} devices: ${ok} OK, ${warning} warning, ${
      critical} critical, ${silent} silent. The list of matches says the same.`);
  }
}
