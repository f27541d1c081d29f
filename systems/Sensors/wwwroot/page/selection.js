import { ask } from './api.js';

const pinnedMax = 4;

/** The device in the address is the selected one; selecting pins it, the latest first, up to four. */
export function followAddress(store) {
  const read = () => {
    const match = /^#\/devices\/(.+)$/.exec(location.hash);
    const id = match ? decoded(match[1]) : null;
    store.selected = id;
    if (id !== null) {
      store.pinned = [id, ...store.pinned.filter(pinned => pinned !== id)].slice(0, pinnedMax);
    }
    store.touch('selection');
  };
  addEventListener('hashchange', read);
  read();
}

export function unpin(store, id) {
  store.pinned = store.pinned.filter(pinned => pinned !== id);
  if (store.selected === id) {
    // The hash is emptied in place, so that Back does not bring the device again.
    history.replaceState(null, '', location.pathname + location.search);
    store.selected = null;
  }
  store.touch('selection');
}

/** What the API knows of the device; kept in the store for all who show it. */
export async function loadMetadata(store, id, signal) {
  const device = await ask(`/api/devices/${encodeURIComponent(id)}`, { signal });
  store.takeMetadata(device);
  return device;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
