import { ask } from './api.js';
import { readJson } from './exact.js';

const retryFirstMs = 500;
const retryMaxMs = 2_000;
const silenceMaxMs = 15_000;
const hiddenMaxMs = 60_000;

/**
 * Keeps one connection to the live feed. Each connection starts with a snapshot, so nothing has to be remembered over a break.
 * `handlers` has one function per event name; `onState` hears connecting, live, reconnecting and asleep.
 */
export class Live {
  #url;
  #handlers;
  #onState;
  #source = null;
  #retryTimer = 0;
  #retryMs = retryFirstMs;
  #heardAt = 0;
  #isLive = false;
  #hiddenTimer = 0;

  constructor(url, handlers, onState) {
    this.#url = url;
    this.#handlers = handlers;
    this.#onState = onState;
  }

  start() {
    this.#connect('connecting');
    setInterval(() => this.#probe(), silenceMaxMs / 3);
    addEventListener('online', () => this.#source ?? this.#connect('reconnecting'));
    addEventListener('pagehide', () => this.#close());
    addEventListener('pageshow', shown => shown.persisted && this.#connect('reconnecting'));
    document.addEventListener('visibilitychange', () => this.#sleepOrWake());
  }

  // The browser's own retry gives up after some answers (a 503 while the Shop starts), so the page retries by itself.
  #connect(state) {
    this.#close();
    this.#onState(state);
    const source = new EventSource(this.#url);
    this.#source = source;
    this.#heardAt = performance.now();
    this.#isLive = false;
    source.addEventListener('error', () => source === this.#source && this.#retry());
    for (const [name, handle] of Object.entries(this.#handlers)) {
      source.addEventListener(name, message => {
        this.#heardAt = performance.now();
        handle(message.data, readJson);
        if (name === 'snapshot') {
          this.#isLive = true;
          this.#retryMs = retryFirstMs;
          this.#onState('live');
        }
      });
    }
  }

  #retry() {
    this.#close();
    this.#onState('reconnecting');
    this.#retryTimer = setTimeout(() => this.#connect('reconnecting'), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, retryMaxMs);
  }

  #close() {
    clearTimeout(this.#retryTimer);
    this.#source?.close();
    this.#source = null;
  }

  // A Shop without orders is silent, and so is a dead network: ask once before believing either. No snapshot is no silence.
  async #probe() {
    const source = this.#source;
    if (!source || performance.now() - this.#heardAt < silenceMaxMs) {
      return;
    }
    if (!this.#isLive) {
      this.#retry();
      return;
    }
    try {
      await ask('/api/stats');
      this.#heardAt = performance.now();
    } catch {
      if (source === this.#source) {
        this.#retry();
      }
    }
  }

  // Browsers allow about six connections to a host over HTTP/1.1, and a feed holds one: a tab that nobody sees gives it back.
  #sleepOrWake() {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) {
      this.#hiddenTimer = setTimeout(() => {
        this.#close();
        this.#onState('asleep');
      }, hiddenMaxMs);
    } else if (!this.#source) {
      this.#connect('reconnecting');
    }
  }
}
