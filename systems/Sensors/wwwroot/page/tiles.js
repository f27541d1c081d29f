import { byId, setText, svg } from './elements.js';
import { count, duration, perSecond, utc } from './format.js';
import { Rates } from './rates.js';

const rawTopic = 'sensors.raw';
const secondsShown = 60;

/** The watermark in the header, the counts below it, and the readings a second of the last minute. */
export function showTiles(store) {
  store.on('stats', () => drawTiles(store.stats), 200);

  const rates = new Rates();
  const chart = new RateChart(byId('rate-chart'));
  store.on('stats', () => rates.take(store.stats.topics ?? {}));
  store.on('connection', () => store.connection === 'live' || rates.forget());
  setInterval(() => {
    if (store.connection !== 'live' || !store.stats || document.hidden) {
      return;
    }
    // Statistics come when they change; without them nothing has come in either.
    rates.take(store.stats.topics ?? {});
    const rate = rates.of(rawTopic);
    setText(byId('total-rate'), rate === null ? '–' : perSecond(rate));
    chart.take(rate ?? 0);
  }, 1000);
}

function drawTiles({ devices, alerts, rejected, late, watermark, eventTimeLagSeconds }) {
  setText(byId('total-devices'), count(devices.total));
  for (const name of ['ok', 'warning', 'critical', 'silent']) {
    setText(byId(`total-${name}`), count(devices[name]));
  }
  setText(byId('total-alerts'), count(alerts.open));
  setText(byId('total-rejected'), count(Object.values(rejected ?? {}).reduce((sum, value) => sum + value, 0)));
  setText(byId('total-late'), count(late));
  setText(byId('watermark'), watermark ? `${utc(Date.parse(watermark))} UTC` : '–');
  setText(byId('watermark-lag'), duration(eventTimeLagSeconds));
}

/** One sample a second, as a line with its area. */
class RateChart {
  #samples = [];
  #line = svg('path', { class: 'rate-line' });
  #area = svg('path', { class: 'rate-area' });

  constructor(chart) {
    chart.replaceChildren(this.#area, this.#line);
  }

  take(sample) {
    this.#samples = [...this.#samples, sample].slice(-secondsShown);
    const [width, height] = [240, 44];
    const first = secondsShown - this.#samples.length;
    const top = Math.max(1, ...this.#samples);
    const x = at => ((first + at) * width / (secondsShown - 1)).toFixed(1);
    const line = `M${this.#samples.map((value, at) => `${x(at)} ${(height - 2 - value * (height - 8) / top).toFixed(1)}`).join('L')}`;
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', `${line}L${width} ${height}L${x(0)} ${height}Z`);
  }
}
