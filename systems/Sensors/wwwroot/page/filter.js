import { byId, html, deviceHash } from './elements.js';
import { statuses } from './devices.js';

const typingMs = 120;

/** Whether a device is of the zone, type and text that were asked for; its status is another question, because it changes. */
export function placeMatcher(devices, { text, zone, type }) {
  const wanted = text.toLowerCase();
  return index => (zone === '' || devices.zones[index] === zone)
    && (type === '' || devices.types[index] === type)
    && (wanted === '' || devices.ids[index].toLowerCase().includes(wanted)
      || devices.zones[index].toLowerCase().includes(wanted) || devices.types[index].toLowerCase().includes(wanted));
}

/** Whether a device has the status that was asked for now. */
export function statusMatcher(devices, { status }) {
  const wanted = statuses.indexOf(status);
  return index => wanted < 0 || devices.status[index] === wanted;
}

/** The inputs above the map. */
export function showFilter(store) {
  let typing = 0;
  const set = change => {
    store.filter = { ...store.filter, ...change };
    store.touch('filter');
  };
  const text = byId('filter-text');
  const setSearch = () => {
    clearTimeout(typing);
    set({ text: text.value.trim() });
  };
  text.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(setSearch, typingMs);
  });
  byId('filters').addEventListener('submit', event => {
    event.preventDefault();
    setSearch();
    selectFirst(store);
  });
  for (const name of ['zone', 'type', 'status']) {
    byId(`filter-${name}`).addEventListener('change', event => set({ [name]: event.target.value }));
  }

  const drawZones = options(byId('filter-zone'));
  const drawTypes = options(byId('filter-type'));
  store.on('devices', () => {
    const { devices } = store;
    const order = devices.order();
    drawZones(new Set(order.map(index => devices.zones[index])));
    drawTypes(new Set(order.map(index => devices.types[index])));
  }, 500);
}

function selectFirst(store) {
  const { devices, filter } = store;
  const [isPlace, isStatus] = [placeMatcher(devices, filter), statusMatcher(devices, filter)];
  const found = devices.order().find(index => isPlace(index) && isStatus(index));
  if (found !== undefined) {
    location.hash = deviceHash(devices.ids[found]);
  }
}

// The options are only made anew when a name came or went: an open list would close otherwise.
function options(select) {
  let shown = '';
  const every = select.firstElementChild;
  return names => {
    const sorted = [...names].sort();
    const key = JSON.stringify(sorted);
    if (key === shown) {
      return;
    }
    shown = key;
    const { value } = select;
    select.replaceChildren(every, ...sorted.map(name => html('option', { value: name }, name)));
    select.value = sorted.includes(value) ? value : '';
    if (select.value !== value) {
      select.dispatchEvent(new Event('change'));
    }
  };
}
