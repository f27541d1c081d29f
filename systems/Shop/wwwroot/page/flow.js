import { byId, html, setText } from './elements.js';
import { count } from './exact.js';

const rateWindowMs = 5_000;

/** Events per topic with their rate, and the lag of each consumer group. */
export function showFlow(store) {
  const topics = new Meters(byId('topics'), 'No events yet.');
  const groups = new Meters(byId('groups'), 'No consumer group yet.');
  const history = [];
  store.on('connection', () => {
    if (store.connection !== 'live') {
      history.length = 0;
    }
  });
  store.on('stats', () => {
    const now = performance.now();
    const { events = {}, lag = {} } = store.stats;
    history.push({ now, events });
    while (history.length > 2 && now - history[0].now > rateWindowMs) {
      history.shift();
    }
    topics.draw(Object.entries(events).map(([name, value]) => ({
      name, value, note: rate(history, name), isAlert: false,
    })));
    groups.draw(Object.entries(lag).map(([name, value]) => ({
      name, value, note: value === 0 ? 'caught up' : value === 1 ? 'event behind' : 'events behind', isAlert: value > 1000,
    })));
  }, 250);
}

function rate(history, topic) {
  const first = history[0];
  const last = history.at(-1);
  const elapsed = last.now - first.now;
  if (elapsed < 500) {
    return '';
  }
  const grown = (last.events[topic] ?? 0) - (first.events[topic] ?? 0);
  const perSecond = Math.max(0, grown) * 1000 / elapsed;
  return `${perSecond >= 100 ? count(Math.round(perSecond)) : perSecond.toFixed(1)}/s`;
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
      row.bar.style.width = `${entry.value * 100 / top}%`;
      row.item.classList.toggle('alert', entry.isAlert);
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
