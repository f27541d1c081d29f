import { byId, html, setText } from './html.js';

export * from './html.js';

/** A link to the order's own address on this page. */
export function orderHash(orderId) {
  return `#/orders/${encodeURIComponent(orderId)}`;
}

/** The status as a chip: a word and a shape, so that colour is not the only sign. */
export function statusChip(status) {
  return html('span', { class: 'chip', 'data-status': status }, statusWord(status));
}

export function setStatusChip(chip, status) {
  chip.dataset.status = status;
  setText(chip, statusWord(status));
}

function statusWord(status) {
  return status ? status[0] + status.slice(1).toLowerCase() : 'Unknown';
}

/** How long ago, in the largest unit that says enough. */
export function age(time, now) {
  const seconds = Math.max(0, Math.floor((now - Date.parse(time)) / 1000));
  if (Number.isNaN(seconds)) {
    return '';
  }
  if (seconds < 60) {
    return `${seconds} s`;
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min`;
  }
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

let announcement = null;

/** Says something once to screen readers; for what the reader waits for, not for the feed. */
export function announce(text) {
  announcement ??= byId('announcement');
  announcement.textContent = text;
}
