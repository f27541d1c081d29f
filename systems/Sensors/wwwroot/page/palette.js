// Colours of the style sheet for canvases, which know no custom properties: read once per theme through an element that resolves them.

const names = ['surface', 'raised', 'line', 'line-strong', 'ink', 'soft', 'accent', 'good', 'wait', 'bad', 'wait-wash', 'bad-wash',
  'still', 'still-wash', 'mark-warning', 'mark-critical'];

let colours = null;
const listeners = [];

export function palette() {
  colours ??= read();
  return colours;
}

/** Calls back after the theme has changed. */
export function onPalette(listener) {
  listeners.push(listener);
}

document.addEventListener('theme', () => {
  colours = null;
  listeners.forEach(listener => listener());
});

function read() {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  found.font = getComputedStyle(document.body).fontFamily;
  return found;
}

/** Sizes a canvas for its box and the screen's pixels; the context then draws in CSS pixels. */
export function fitCanvas(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext('2d', { alpha: true });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
