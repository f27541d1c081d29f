import { byId, deviceHash, html, setChildren, setText, statusWord } from './elements.js';
import { placeMatcher, statusMatcher } from './filter.js';
import { count, reading } from './format.js';

const rowsMax = 100;

/** The devices that match the filter, as links: what the map shows, for the keyboard and for screen readers. */
export function showMatches(store) {
  const list = byId('matches');
  const rows = new Map();
  const draw = () => {
    const { devices, filter } = store;
    const [isPlace, isStatus] = [placeMatcher(devices, filter), statusMatcher(devices, filter)];
    const found = devices.order().filter(index => isPlace(index) && isStatus(index));
    const shown = found.slice(0, rowsMax);
    const ids = new Set(shown.map(index => devices.ids[index]));
    for (const id of rows.keys()) {
      if (!ids.has(id)) {
        rows.delete(id);
      }
    }
    setChildren(list, shown.map(index => {
      const id = devices.ids[index];
      const row = rows.get(id) ?? makeRow(id);
      rows.set(id, row);
      fillRow(row, devices, index, id === store.selected);
      return row.node;
    }));
    setText(byId('matches-note'), found.length > rowsMax
      ? `${count(found.length)} match, ${rowsMax} listed`
      : `${count(found.length)} ${found.length === 1 ? 'device matches' : 'devices match'}`);
  };
  store.on('filter', draw);
  store.on('selection', draw);
  store.on('devices', draw, 500);
  store.on('values', draw, 1000);
}

function makeRow(id) {
  const chip = html('span', { class: 'chip dot' });
  const value = html('span', { class: 'match-value' });
  const link = html('a', { href: deviceHash(id) }, chip, html('span', { class: 'match-id' }, id), value);
  return { node: html('li', { class: 'match' }, link), chip, value, link };
}

function fillRow(row, devices, index, isSelected) {
  const status = devices.statusOf(index);
  if (row.chip.dataset.status !== status) {
    row.chip.dataset.status = status;
    row.chip.title = statusWord(status);
    row.chip.replaceChildren(html('span', { class: 'hidden-title' }, statusWord(status)));
  }
  setText(row.value, `${reading(devices.values[index])} ${devices.units[index]}`);
  if (isSelected !== row.link.hasAttribute('aria-current')) {
    row.link.toggleAttribute('aria-current', isSelected);
  }
}
