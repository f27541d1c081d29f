/** Growth per second of named counts, over the last seconds. */
export class Rates {
  #history = [];
  #windowMs;

  constructor(windowMs = 5_000) {
    this.#windowMs = windowMs;
  }

  take(counts) {
    const now = performance.now();
    this.#history.push({ now, counts });
    while (this.#history.length > 2 && now - this.#history[0].now > this.#windowMs) {
      this.#history.shift();
    }
  }

  /** A break in the feed is no burst of readings: count anew from the next snapshot. */
  forget() {
    this.#history = [];
  }

  /** Null where less than half a second is known, which says nothing yet. */
  of(name) {
    const first = this.#history[0];
    const last = this.#history.at(-1);
    if (!first || last.now - first.now < 500) {
      return null;
    }
    const grown = (last.counts[name] ?? 0) - (first.counts[name] ?? 0);
    return Math.max(0, grown) * 1000 / (last.now - first.now);
  }
}
