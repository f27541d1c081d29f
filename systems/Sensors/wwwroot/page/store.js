import { Devices } from './devices.js';

// What the page knows, and when it draws it. Messages change the store at once; the document changes once per animation frame and
// part, and a part may ask for a calmer pace. What does not fit into one frame is drawn in the next.

const clearedMax = 50;
const alertsMax = 500;
/** Half a frame at sixty a second: the other half belongs to the browser's own layout and painting. */
const drawMsMax = 8;

/** The parts that are drawn on their own: connection, stats, devices, values, alerts, selection, filter, metadata. */
export class Store {
  connection = 'connecting';
  /** When the next attempt to connect is due, by the clock of performance.now. */
  retryAt = 0;
  stats = null;
  devices = new Devices();
  /** By id: those that are not cleared, and the latest cleared. */
  alerts = new Map();
  /** The device in the address; null where none is. */
  selected = null;
  /** Devices whose charts are shown, the latest selected first. */
  pinned = [];
  filter = { text: '', zone: '', type: '', status: '' };
  /** What the API answered for a device in full, by id; only of devices that were selected. */
  metadata = new Map();

  #renderers = new Map();
  #dirty = new Set();
  #frame = 0;
  #timer = 0;

  /** Calls `render` in an animation frame after `part` was touched, at most every `pauseMs`. */
  on(part, render, pauseMs = 0) {
    this.#renderers.set(part, [...(this.#renderers.get(part) ?? []), { render, pauseMs, drawnAt: -Infinity }]);
  }

  touch(part) {
    for (const renderer of this.#renderers.get(part) ?? []) {
      this.#dirty.add(renderer);
    }
    this.#schedule();
  }

  takeSnapshot({ stats, alerts = [], devices = [] }) {
    this.stats = stats;
    this.alerts = new Map(alerts.map(alert => [alert.alertId, alert]));
    this.devices.clear();
    this.devices.takeRows(devices);
    for (const part of ['stats', 'alerts', 'devices', 'values']) {
      this.touch(part);
    }
  }

  takeStats(stats) {
    this.stats = stats;
    this.touch('stats');
  }

  takeRows(rows) {
    this.devices.takeRows(rows);
    this.touch('devices');
    this.touch('values');
  }

  takeFrame(buffer) {
    this.devices.takeFrame(buffer);
    this.touch('values');
  }

  takeAlert(alert) {
    // A change moves an alert to the end, so the first cleared ones of the map are the longest known.
    this.alerts.delete(alert.alertId);
    this.alerts.set(alert.alertId, alert);
    this.#forgetAlerts();
    this.touch('alerts');
  }

  takeMetadata(device) {
    this.metadata.set(device.deviceId, device);
    this.touch('metadata');
  }

  #forgetAlerts() {
    const cleared = [...this.alerts.values()].filter(alert => alert.state === 'CLEARED');
    for (const alert of cleared.slice(0, Math.max(0, cleared.length - clearedMax))) {
      this.alerts.delete(alert.alertId);
    }
    if (this.alerts.size > alertsMax) {
      this.alerts.delete(this.alerts.keys().next().value);
    }
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(now => this.#draw(now));
  }

  #draw(now) {
    this.#frame = 0;
    let wait = Infinity;
    const end = performance.now() + drawMsMax;
    for (const renderer of this.#dirty) {
      if (performance.now() > end) {
        this.#schedule();
        return;
      }
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
