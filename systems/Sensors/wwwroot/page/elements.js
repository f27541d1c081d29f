// Everything that comes from the server enters the document through here, as text and attributes, never as markup.

const svgNamespace = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) {
      continue;
    }
    if (name.startsWith('on')) {
      node.addEventListener(name.slice(2), value);
    } else {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element; an attribute `onclick` is a listener, a child that is a string is text. */
export function html(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element, made like `html`. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, name), attributes, children);
}

export const byId = id => document.getElementById(id);

/** Sets text only where it differs: writing equal text would still cost a layout. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

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
