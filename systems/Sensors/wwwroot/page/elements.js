import { byId, setText } from './html.js';

export * from './html.js';

/** The device's own address on this page. */
export function deviceHash(deviceId) {
  return `#/devices/${encodeURIComponent(deviceId)}`;
}

/** A status or severity as a chip: a word and a shape, so that colour is not the only sign. */
export function setStatusChip(chip, status) {
  if (chip.dataset.status !== status) {
    chip.dataset.status = status;
    setText(chip, statusWord(status));
  }
}

export function statusWord(status) {
  return status === 'OK' ? 'OK' : words(status ?? 'UNKNOWN');
}

/** RATE_OF_CHANGE as "Rate of change". */
export function words(constant) {
  const text = String(constant).replaceAll('_', ' ').toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Puts `nodes` into `host` in this order, and moves only those that stand elsewhere: the focus and the scroll stay. */
export function setChildren(host, nodes) {
  let place = host.firstElementChild;
  for (const node of nodes) {
    if (node === place) {
      place = place.nextElementSibling;
    } else {
      host.insertBefore(node, place);
    }
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
}

let announcement = null;

/** Says something once to screen readers; for what the reader waits for, not for the feed. */
export function announce(text) {
  announcement ??= byId('announcement');
  announcement.textContent = text;
}
