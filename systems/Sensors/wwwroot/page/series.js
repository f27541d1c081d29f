import { ask } from './api.js';

const searchesMax = 6;
const pointsEnough = 100;
const pointsMax = 4_000;

/** The readings of one device over a stretch of its own event time: loaded from the store of series, then lengthened by the feed. */
export class Series {
  /** Oldest first: {time, min, max, mean, last, count}, time in milliseconds at the start of the step. */
  points = [];
  stepMs = 1;
  /** The event time that the points were loaded up to. */
  loadedTo = NaN;

  #deviceId;

  constructor(deviceId) {
    this.#deviceId = deviceId;
  }

  /** Loads `rangeMs` up to `to`; everything where `rangeMs` is infinite. */
  async load(rangeMs, to, signal) {
    const answer = rangeMs === Infinity ? await this.#findAll(to, signal) : await this.#ask(to - rangeMs, to, signal);
    const loaded = answer.points.map(point => ({ ...point, time: Date.parse(point.time) }));
    // Readings that came by the feed while the answer was on its way are newer than it.
    const newest = loaded.at(-1)?.time ?? -Infinity;
    const later = Number.isNaN(this.loadedTo) ? [] : this.points.filter(point => point.time > newest && point.time >= to);
    this.stepMs = Math.max(1, answer.stepSeconds * 1000);
    this.points = loaded;
    this.loadedTo = to;
    later.forEach(point => this.append(point.time, point.last));
  }

  /** A reading from the feed joins the step that it falls into. */
  append(time, value) {
    const last = this.points.at(-1);
    if (Number.isNaN(value) || Number.isNaN(time) || (last && time < last.time)) {
      return; // What is older than the newest point is in the store of series already, or will be at the next load.
    }
    const start = Math.floor(time / this.stepMs) * this.stepMs;
    if (last && start <= last.time) {
      last.min = Math.min(last.min, value);
      last.max = Math.max(last.max, value);
      last.mean = (last.mean * last.count + value) / (last.count + 1);
      last.last = value;
      last.count++;
      return;
    }
    this.points.push({ time: start, min: value, max: value, mean: value, last: value, count: 1 });
    if (this.points.length > pointsMax) {
      this.points.shift();
    }
  }

  // The end of the range is not in it: a millisecond more takes the latest reading along.
  #ask(from, to, signal) {
    const query = new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to + 1).toISOString() });
    return ask(`/api/devices/${encodeURIComponent(this.#deviceId)}/series?${query}`, { signal });
  }

  // Nobody says when a device began. Over half a century the steps are weeks, so the search narrows to where points are, until the
  // steps are fine enough to fill a chart.
  async #findAll(to, signal) {
    let from = 0;
    for (let search = 1; ; search++) {
      const answer = await this.#ask(from, to, signal);
      const first = Date.parse(answer.points[0]?.time);
      if (Number.isNaN(first) || answer.points.length >= pointsEnough || first <= from || search === searchesMax) {
        return answer;
      }
      from = first;
    }
  }
}
