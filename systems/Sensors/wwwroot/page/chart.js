import { announce, deviceHash, html, setStatusChip, setText, svg } from './elements.js';
import { ask } from './api.js';
import { drawChart, frameOf, limitKinds } from './chart-draw.js';
import { count, plain, reading, utc, utcShort } from './format.js';
import { fitCanvas } from './palette.js';
import { loadMetadata, unpin } from './selection.js';
import { Series } from './series.js';

const reloadShare = 0.1;
const reloadPauseMs = 3_000;
const retryPauseMs = 10_000;
const alertsAsked = 100;

/** One device's readings over time: loads itself, lengthens itself, and loads again when the window has moved on. */
export class Chart {
  #store;
  #id;
  #series;
  #rangeMs;
  #isLoading = false;
  #asked = null;
  #loadedAt = -Infinity;
  #problem = null;
  #history = new Map();
  #frame = null;
  #cursor = null;
  #pointerX = null;
  #chip = html('span', { class: 'chip' });
  #latest = html('span', { class: 'chart-latest' });
  #readout = html('span', { class: 'chart-readout' });
  #canvas;
  #limits = html('p', { class: 'chart-limits' });
  #message = html('p', { class: 'problem', role: 'alert', hidden: true });

  constructor(store, id, rangeMs) {
    this.#store = store;
    this.#id = id;
    this.#rangeMs = rangeMs;
    this.#series = new Series(id);
    this.#canvas = html('canvas', { tabindex: 0, role: 'img', 'aria-label': `Readings of ${id} over time; the arrow keys read them` });
    const close = html('button', {
      type: 'button', class: 'icon small', 'aria-label': `Close the chart of ${id}`, onclick: () => unpin(store, id),
    },
      svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('path', { d: 'M6 6l12 12M18 6L6 18' })));
    this.node = html('article', { class: 'chart', 'data-id': id, 'data-points': 0 },
      html('div', { class: 'chart-head' }, html('h3', {}, html('a', { href: deviceHash(id) }, id)), this.#latest, this.#chip, this.#readout,
        close),
      this.#canvas, this.#limits, this.#message);
    this.#listen();
    this.#load();
  }

  setRange(rangeMs) {
    this.#rangeMs = rangeMs;
    this.#load();
  }

  /** Everything that was loaded may have gaps after a break of the feed. */
  reload() {
    this.#load();
  }

  close() {
    this.#asked?.abort();
  }

  /** Takes the latest value from the store and draws. */
  draw() {
    const { devices } = this.#store;
    const index = devices.indexOf(this.#id);
    if (index >= 0 && !this.#isLoading) {
      this.#series.append(devices.times[index], devices.values[index]);
    }
    if (index >= 0) {
      setText(this.#latest, `${reading(devices.values[index])} ${devices.units[index]}`);
      setStatusChip(this.#chip, devices.statusOf(index));
    }
    this.#chip.hidden = index < 0;
    this.#plot();
    this.#reloadWhenMoved();
  }

  #plot() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0) {
      return;
    }
    const all = this.#series.points;
    const to = all.at(-1)?.time ?? this.#now();
    const from = this.#rangeMs === Infinity ? all[0]?.time ?? to - 1 : to - this.#rangeMs;
    const points = all.filter(point => point.time >= from);
    const limits = this.#store.metadata.get(this.#id);
    this.#frame = frameOf(width, height, points, from, to, limits);
    this.#cursor = this.#pointerX === null ? null : nearest(points, this.#frame.timeAt(this.#pointerX));
    drawChart(fitCanvas(this.#canvas, width, height), this.#frame, {
      points, limits, episodes: this.#episodes(from, to), cursor: this.#cursor,
    });
    this.node.dataset.points = points.length;
    setText(this.#readout, this.#cursor ? readoutOf(this.#cursor) : points.length === 0
      ? this.#isLoading ? 'Loading…' : 'No readings in this time.'
      : `${utc(from)} to ${utcShort(to, from)} UTC`);
    setText(this.#limits, limits ? limitKinds.filter(kind => typeof limits[kind.name] === 'number').toReversed()
      .map(kind => `${kind.label} ${plain(limits[kind.name])}`).join(' · ') : '');
  }

  // The device's own latest reading is its now: a replayed series may be of years ago.
  #now() {
    const { devices, metadata } = this.#store;
    const index = devices.indexOf(this.#id);
    const live = index >= 0 ? devices.times[index] : NaN;
    return Number.isNaN(live) ? Date.parse(metadata.get(this.#id)?.time) : live;
  }

  #episodes(from, to) {
    const alerts = new Map(this.#history);
    for (const alert of this.#store.alerts.values()) {
      if (alert.deviceId === this.#id) {
        alerts.set(alert.alertId, alert);
      }
    }
    return [...alerts.values()]
      .map(alert => ({ alert, start: Date.parse(alert.start), end: alert.end ? Date.parse(alert.end) : to }))
      .filter(({ start, end }) => end >= from && start <= to)
      .sort((a, b) => a.start - b.start);
  }

  #reloadWhenMoved() {
    const pause = this.#problem ? retryPauseMs : reloadPauseMs;
    if (this.#isLoading || this.#problem?.status === 404 || performance.now() - this.#loadedAt < pause) {
      return;
    }
    const moved = this.#now() - this.#series.loadedTo;
    const first = this.#series.points[0]?.time ?? NaN;
    const span = this.#rangeMs === Infinity ? this.#series.loadedTo - first : this.#rangeMs;
    // What is not a number is not loaded yet, or has no points yet: that asks again as well.
    if (!(moved <= span * reloadShare)) {
      this.#load();
    }
  }

  async #load() {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    this.#isLoading = true;
    this.#loadedAt = performance.now();
    try {
      if (!this.#store.metadata.has(this.#id)) {
        await loadMetadata(this.#store, this.#id, asked.signal);
      }
      const now = this.#now();
      const query = new URLSearchParams({ device: this.#id, pageSize: alertsAsked });
      const [alerts] = await Promise.all([
        ask(`/api/alerts?${query}`, { signal: asked.signal }),
        Number.isNaN(now) ? null : this.#series.load(this.#rangeMs, now, asked.signal),
      ]);
      this.#history = new Map(alerts.items.map(alert => [alert.alertId, alert]));
      this.#problem = null;
    } catch (problem) {
      if (asked.signal.aborted) {
        return;
      }
      this.#problem = problem;
    }
    this.#isLoading = false;
    this.#message.hidden = this.#problem === null;
    setText(this.#message, this.#problem?.message ?? '');
    this.draw();
  }

  #listen() {
    this.#canvas.addEventListener('pointermove', event => this.#pointAt(event.clientX - this.#canvas.getBoundingClientRect().left));
    this.#canvas.addEventListener('pointerleave', () => this.#pointAt(null));
    this.#canvas.addEventListener('blur', () => this.#pointAt(null));
    this.#canvas.addEventListener('keydown', event => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.#frame) {
        return;
      }
      event.preventDefault();
      const { points } = this.#series;
      const at = this.#cursor ? points.indexOf(this.#cursor) + step : points.length - 1;
      const point = points[Math.min(points.length - 1, Math.max(0, at))];
      if (point) {
        this.#pointAt(this.#frame.x(point.time));
        announce(readoutOf(point));
      }
    });
  }

  #pointAt(x) {
    this.#pointerX = x;
    this.#store.touch('cursor');
  }
}

function nearest(points, time) {
  let best = null;
  for (const point of points) {
    if (best === null || Math.abs(point.time - time) < Math.abs(best.time - time)) {
      best = point;
    }
  }
  return best;
}

function readoutOf({ time, min, max, mean, count: readings }) {
  return `${utc(time)}: mean ${reading(mean)}, ${reading(min)} to ${reading(max)}, ${count(readings)} ${
    readings === 1 ? 'reading' : 'readings'}`;
}
