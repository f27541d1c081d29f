import { byId, html, setText, svg } from './elements.js';
import { amount, count, subtract } from './exact.js';

const secondsShown = 60;
const sampleMs = 950;
const silenceMs = 2_500;

/** Totals per status, money, mails, and the orders a second of the last minute. */
export function showTotals(store) {
  store.on('stats', () => drawTotals(store.stats, store.currency), 100);
  const rate = new OrderRate(byId('rate-chart'));
  store.on('stats', () => rate.measure(store.stats));
  store.on('connection', () => store.connection === 'live' || rate.forget());
  setInterval(() => store.connection === 'live' && rate.draw(), 1000);
}

function drawTotals(stats, currency) {
  const { pending, confirmed, cancelled } = stats.orders;
  setText(byId('total-pending'), count(pending));
  setText(byId('total-confirmed'), count(confirmed));
  setText(byId('total-cancelled'), count(cancelled));
  setText(byId('total-captured'), amount(stats.captured));
  setText(byId('total-refunded'), amount(stats.refunded));
  setText(byId('total-confirmed-amount'), amount(stats.confirmedTotal));
  setText(byId('total-mails'), count(stats.mails));
  setText(byId('note-captured'), `${count(stats.charges)} ${stats.charges === 1 ? 'charge' : 'charges'}`);
  setText(byId('note-refunded'), `${count(stats.refunds)} ${stats.refunds === 1 ? 'refund' : 'refunds'}`);
  setText(byId('note-confirmed-amount'), balance(stats));
  const unsent = confirmed - stats.mails;
  setText(byId('note-mails'), unsent > 0 ? `${count(unsent)} to send` : 'none waiting');
  document.querySelectorAll('.currency').forEach(node => setText(node, currency));
  const all = pending + confirmed + cancelled;
  setText(byId('note-pending'), `of ${count(all)} ${all === 1 ? 'order' : 'orders'}`);
  setText(byId('note-confirmed'), all > 0 ? share(confirmed, all) : '');
  setText(byId('note-cancelled'), all > 0 ? share(cancelled, all) : '');
  for (const [name, value] of Object.entries({ pending, confirmed, cancelled })) {
    byId(`share-${name}`).style.flexGrow = all > 0 ? value / all : 0;
  }
}

// Captured minus refunded minus confirmed: money on its way to a confirmation or a refund. Zero at rest.
function balance(stats) {
  const kept = subtract(stats.captured, stats.refunded);
  const open = kept === null ? null : subtract(kept, stats.confirmedTotal);
  if (open === null) {
    return '';
  }
  return /^-?0*(\.0*)?$/.test(open) ? 'balanced' : `${amount(open)} in flight`;
}

function share(part, all) {
  return `${(part * 100 / all).toFixed(1)} %`;
}

/** Orders a second, from the growth of the counts between two statistics, kept for a minute. */
class OrderRate {
  #samples = [];
  #previous = null;
  #grown = 0;
  #since = 0;
  #line;
  #area;
  #chart;

  constructor(chart) {
    this.#chart = chart;
    this.#area = svg('path', { class: 'rate-area' });
    this.#line = svg('path', { class: 'rate-line' });
    chart.replaceChildren(this.#area, this.#line);
  }

  measure(stats) {
    const all = stats.orders.pending + stats.orders.confirmed + stats.orders.cancelled;
    const now = performance.now();
    if (this.#previous === null) {
      this.#since = now;
    } else {
      this.#grown += Math.max(0, all - this.#previous);
    }
    this.#previous = all;
    this.#sample(now, sampleMs);
  }

  /** A break in the feed is no burst of orders: count anew from the next snapshot. */
  forget() {
    this.#previous = null;
    this.#grown = 0;
  }

  draw() {
    this.#sample(performance.now(), silenceMs);
    if (this.#samples.length === 0) {
      return;
    }

    // The figure is the mean of five seconds: one second of a slow shop would jump between 4 and 6.
    const recent = this.#samples.slice(-5);
    const mean = recent.reduce((sum, sample) => sum + sample, 0) / recent.length;
    setText(byId('total-rate'), mean >= 100 ? count(Math.round(mean)) : mean.toFixed(1));
    const peak = Math.max(...this.#samples);
    setText(byId('note-rate'), `peak ${peak >= 100 ? count(Math.round(peak)) : peak.toFixed(1)}`);
    this.#plot(Math.max(peak, 1));
  }

  // Growth is divided by the time between the statistics that it lies between, not by the clock that draws; silence counts as none.
  #sample(now, elapsedMin) {
    const elapsed = now - this.#since;
    if (this.#previous === null || elapsed < elapsedMin) {
      return;
    }
    this.#samples = [...this.#samples, this.#grown * 1000 / elapsed].slice(-secondsShown);
    this.#grown = 0;
    this.#since = now;
  }

  #plot(top) {
    const width = 240;
    const height = 44;
    const first = secondsShown - this.#samples.length;
    const points = this.#samples.map((sample, index) => {
      const x = (first + index) * width / (secondsShown - 1);
      return `${x.toFixed(1)} ${(height - 2 - sample * (height - 6) / top).toFixed(1)}`;
    });
    const line = `M${points.join('L')}`;
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', `${line}L${width} ${height}L${(first * width / (secondsShown - 1)).toFixed(1)} ${height}Z`);
    this.#chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  }
}

/** What the replay of an order file counted; the panel stays away where none ran. */
export function showReplay(store) {
  store.on('stats', () => {
    const { replay } = store.stats;
    const panel = byId('replay');
    panel.hidden = !replay;
    if (!replay) {
      return;
    }
    const rejected = Object.entries(replay.rejectedLines ?? {});
    panel.replaceChildren(
      html('strong', {}, 'Replay'),
      html('span', {}, `${count(replay.lines)} lines, ${count(replay.orders)} orders`),
      html('span', {}, rejected.length === 0
        ? 'no line rejected'
        : `rejected: ${rejected.map(([reason, lines]) => `${reason} ${count(lines)}`).join(', ')}`));
  }, 500);
}
