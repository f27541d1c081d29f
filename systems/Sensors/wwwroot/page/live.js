import { ask } from './api.js';

const retryFirstMs = 500;
const retryMaxMs = 10_000;
const silenceMaxMs = 15_000;
const hiddenMaxMs = 60_000;

/**
 * Keeps one WebSocket to the live feed. Each connection starts with a snapshot, so nothing has to be remembered over a break.
 * `handlers` has one function per type of message, and `values` for the binary frames; `onState` hears connecting, live,
 * reconnecting (with the milliseconds to the next attempt) and asleep.
 */
export class Live {
  #path;
  #handlers;
  #onState;
  #socket = null;
  #retryTimer = 0;
  #retryMs = retryFirstMs;
  #heardAt = 0;
  #isLive = false;
  #probed = null;
  #hiddenTimer = 0;

  constructor(path, handlers, onState) {
    this.#path = path;
    this.#handlers = handlers;
    this.#onState = onState;
  }

  start() {
    this.#connect('connecting');
    setInterval(() => this.#probe(), silenceMaxMs / 3);
    addEventListener('online', () => this.#socket ?? this.#connect('reconnecting'));
    addEventListener('offline', () => this.#socket && this.#retry());
    addEventListener('pagehide', () => this.#close());
    addEventListener('pageshow', shown => shown.persisted && this.#connect('reconnecting'));
    document.addEventListener('visibilitychange', () => this.#sleepOrWake());
  }

  #connect(state) {
    this.#close();
    this.#onState(state, 0);
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#heardAt = performance.now();
    this.#probed = null;
    this.#isLive = false;
    socket.addEventListener('close', () => socket === this.#socket && this.#retry());
    socket.addEventListener('message', message => socket === this.#socket && this.#take(message.data));
  }

  #take(data) {
    this.#heardAt = performance.now();
    this.#probed = null;
    if (typeof data !== 'string') {
      this.#handlers.values(data);
      return;
    }
    const message = JSON.parse(data);
    this.#handlers[message.type]?.(message);
    if (message.type === 'snapshot' && !this.#isLive) {
      this.#isLive = true;
      this.#retryMs = retryFirstMs;
      this.#onState('live', 0);
    }
  }

  // Chance in the delay keeps a thousand open pages from coming back in the same instant.
  #retry() {
    this.#close();
    const delay = this.#retryMs * (0.75 + Math.random() / 2);
    this.#onState('reconnecting', delay);
    this.#retryTimer = setTimeout(() => this.#connect('reconnecting'), delay);
    this.#retryMs = Math.min(this.#retryMs * 2, retryMaxMs);
  }

  #close() {
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  // Sensors without readings is silent, and so is a dead connection that nobody closed: counts that grow while the feed says nothing
  // tell the two apart. Silence before the snapshot is none that Sensors keeps.
  async #probe() {
    const socket = this.#socket;
    if (!socket || performance.now() - this.#heardAt < silenceMaxMs) {
      return;
    }
    if (!this.#isLive) {
      this.#retry();
      return;
    }
    try {
      const counts = JSON.stringify((await ask('/api/stats')).topics);
      const isDead = this.#probed !== null && this.#probed !== counts;
      this.#probed = counts;
      if (isDead && socket === this.#socket) {
        this.#retry();
      }
    } catch {
      if (socket === this.#socket) {
        this.#retry();
      }
    }
  }

  // A tab that nobody sees needs no forty thousand values a second; the snapshot brings it up to date when it is seen again.
  #sleepOrWake() {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) {
      this.#hiddenTimer = setTimeout(() => {
        this.#close();
        this.#onState('asleep', 0);
      }, hiddenMaxMs);
    } else if (!this.#socket) {
      this.#connect('reconnecting');
    }
  }
}
