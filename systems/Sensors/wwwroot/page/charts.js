import { byId, setChildren } from './elements.js';
import { Chart } from './chart.js';
import { onPalette } from './palette.js';

const minuteMs = 60_000;
const ranges = { '15m': 15 * minuteMs, '1h': 60 * minuteMs, '6h': 360 * minuteMs, '24h': 1440 * minuteMs, all: Infinity };

/** A chart for each pinned device, all over the same length of time. */
export function showCharts(store) {
  const host = byId('charts');
  const charts = new Map();
  let range = '1h';
  // One chart a frame: four at once would make the frame late.
  const due = new Set();
  const drawAll = () => {
    charts.forEach(chart => due.add(chart));
    store.touch('charts');
  };
  store.on('charts', () => {
    const [chart] = due;
    due.delete(chart);
    chart?.draw();
    if (due.size > 0) {
      store.touch('charts');
    }
  });

  store.on('selection', () => {
    for (const [id, chart] of charts) {
      if (!store.pinned.includes(id)) {
        chart.close();
        charts.delete(id);
        due.delete(chart);
      }
    }
    for (const id of store.pinned) {
      if (!charts.has(id)) {
        charts.set(id, new Chart(store, id, ranges[range]));
      }
    }
    setChildren(host, store.pinned.map(id => charts.get(id).node));
    byId('charts-message').hidden = charts.size > 0;
    drawAll();
  });
  store.on('values', drawAll, 240);
  store.on('alerts', drawAll, 500);
  store.on('metadata', drawAll);
  store.on('cursor', drawAll);
  onPalette(drawAll);
  new ResizeObserver(() => store.touch('cursor')).observe(host);

  let wasLost = false;
  store.on('connection', () => {
    if (wasLost && store.connection === 'live') {
      charts.forEach(chart => chart.reload());
    }
    wasLost = store.connection !== 'live';
  });

  const buttons = [...byId('chart-ranges').children];
  const mark = () => buttons.forEach(button => button.setAttribute('aria-pressed', button.dataset.range === range));
  byId('chart-ranges').addEventListener('click', event => {
    const chosen = event.target.closest('button')?.dataset.range;
    if (chosen && chosen !== range) {
      range = chosen;
      mark();
      charts.forEach(chart => chart.setRange(ranges[range]));
    }
  });
  mark();
}
