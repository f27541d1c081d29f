import { byId, html, setText, words } from './elements.js';
import { count, perSecond } from './format.js';
import { Rates } from './rates.js';

const lagHigh = 10_000;

/** Events per topic with their rate, the lag of each consumer group, and what was rejected and why. */
export function showFlow(store) {
  const topics = new Meters(byId('topics'), 'No events yet.');
  const groups = new Meters(byId('groups'), 'No consumer group yet.');
  const rejected = new Meters(byId('rejected'), 'No reading was rejected.');
  const rates = new Rates();
  store.on('connection', () => store.connection === 'live' || rates.forget());
  store.on('stats', () => {
    const stats = store.stats;
    rates.take(stats.topics ?? {});
    topics.draw(Object.entries(stats.topics ?? {}).map(([name, value]) => {
      const rate = rates.of(name);
      return { name, value, note: rate === null ? '' : `${perSecond(rate)}/s`, isHigh: false };
    }));
    groups.draw(Object.entries(stats.lag ?? {}).map(([name, value]) => ({
      name, value, note: value === 0 ? 'caught up' : value === 1 ? 'event behind' : 'events behind', isHigh: value > lagHigh,
    })));
    const all = Math.max(1, Object.values(stats.rejected ?? {}).reduce((sum, value) => sum + value, 0));
    rejected.draw(Object.entries(stats.rejected ?? {}).map(([name, value]) => ({
      name: words(name), value, note: `${(value * 100 / all).toFixed(1)} %`, isHigh: false,
    })));
  }, 250);
}

/** A list of named figures with bars, whose rows are made once and then only changed. */
class Meters {
  #list;
  #empty;
  #rows = new Map();

  constructor(list, emptyText) {
    this.#list = list;
    this.#empty = html('li', { class: 'empty' }, emptyText);
  }

  draw(entries) {
    const top = Math.max(1, ...entries.map(entry => entry.value));
    for (const entry of entries) {
      const row = this.#rows.get(entry.name) ?? this.#add(entry.name);
      setText(row.value, count(entry.value));
      setText(row.note, entry.note);
      // A transform moves no other element, as a width might.
      row.bar.style.transform = `scaleX(${entry.value / top})`;
      row.item.classList.toggle('alert-high', entry.isHigh);
    }
    const names = new Set(entries.map(entry => entry.name));
    for (const [name, row] of this.#rows) {
      if (!names.has(name)) {
        row.item.remove();
        this.#rows.delete(name);
      }
    }
    if (entries.length === 0) {
      this.#list.replaceChildren(this.#empty);
    } else {
      this.#list.querySelectorAll('.empty, .skeleton').forEach(item => item.remove());
    }
  }

  #add(name) {
    const value = html('span', { class: 'meter-value' });
    const note = html('span', { class: 'meter-note' });
    const bar = html('span', { class: 'meter-bar' });
    const item = html('li', { class: 'meter' },
      html('span', { class: 'meter-name' }, name), value, note,
      html('span', { class: 'meter-track', 'aria-hidden': 'true' }, bar));
    const row = { item, value, note, bar };
    this.#rows.set(name, row);
    this.#list.append(item);
    return row;
  }
}
