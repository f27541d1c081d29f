import { byId, html } from './elements.js';
import { statuses } from './devices.js';
import { reading } from './format.js';
import { CellPainter } from './map-paint.js';
import { fitCanvas } from './palette.js';
import { ramp, steps } from './scale.js';

const keySize = 14;
const keyStep = 40;

/** What the colours and marks of the map mean, drawn by what draws the map. */
export function showLegend() {
  const strip = byId('ramp');
  const [width, height] = [160, 10];
  const context = fitCanvas(strip, width, height);
  for (let step = 0; step < steps; step++) {
    context.fillStyle = ramp[step];
    context.fillRect(step * width / steps, 0, width / steps + 1, height);
  }
  const keys = [...document.querySelectorAll('[data-key]')].map(host => {
    const canvas = html('canvas', { 'aria-hidden': 'true' });
    host.append(canvas);
    return { canvas, status: statuses.indexOf(host.dataset.key) };
  });
  return {
    drawKeys() {
      const painter = new CellPainter();
      for (const { canvas, status } of keys) {
        const keyContext = fitCanvas(canvas, keySize, keySize);
        keyContext.clearRect(0, 0, keySize, keySize);
        painter.begin(keyContext, keySize, 0);
        painter.paint(0, 0, status === 0 ? NaN : keyStep, status, false, '');
      }
    },
    drawRanges(entries) {
      byId('ranges').replaceChildren(...entries.map(([type, { low, high, unit }]) =>
        html('li', {}, html('b', {}, type), ` ${reading(low)} to ${reading(high)} ${unit}`)));
    },
  };
}
