import { byId, deviceHash, html, setChildren, setStatusChip, setText, words } from './elements.js';
import { count, duration, plain, reading, utc, utcShort } from './format.js';
import { acknowledge } from './acknowledge.js';

const rowsMax = 100;
const rank = { OPEN: 0, ACKNOWLEDGED: 1, CLEARED: 2 };

/** The alerts: open ones first, then acknowledged ones, then the latest cleared. */
export function showAlerts(store) {
  const list = byId('alerts');
  const select = byId('alerts-state');
  let rows = new Map();
  let isHeld = false;
  const draw = () => {
    const wanted = select.value;
    const found = [...store.alerts.values()].filter(alert => wanted === '' || alert.state === wanted).sort(inOrder);
    // Rows that move under the pointer cannot be clicked: meanwhile they change in place, and none comes or goes.
    const shown = isHeld
      ? [...rows].map(([id, row]) => store.alerts.get(id) ?? row.alert)
      : found.slice(0, rowsMax);
    const kept = new Map(shown.map(alert => [alert.alertId, rows.get(alert.alertId) ?? makeRow(store, alert)]));
    for (const alert of shown) {
      fillRow(kept.get(alert.alertId), alert, alert.deviceId === store.selected);
    }
    rows = kept;
    setChildren(list, [...kept.values()].map(row => row.node));
    const message = byId('alerts-message');
    message.hidden = shown.length > 0;
    setText(message, !store.stats ? 'Waiting for alerts…' : wanted === '' ? 'No alerts.' : `No alert is ${wanted.toLowerCase()}.`);
    const some = found.length > rowsMax ? `${rowsMax} of ${count(found.length)}` : '';
    setText(byId('alerts-note'), isHeld ? 'held while you point at them' : some);
  };
  const hold = held => {
    isHeld = held;
    draw();
  };
  list.addEventListener('pointerenter', event => event.pointerType === 'mouse' && hold(true));
  list.addEventListener('pointerleave', () => hold(list.contains(document.activeElement)));
  list.addEventListener('focusin', () => hold(true));
  list.addEventListener('focusout', event => hold(list.contains(event.relatedTarget)));
  store.on('alerts', draw, 300);
  store.on('selection', draw);
  select.addEventListener('change', () => hold(false));
}

function inOrder(a, b) {
  return rank[a.state] - rank[b.state] || instant(b) - instant(a) || (a.alertId < b.alertId ? -1 : 1);
}

// A cleared alert is as new as its end, an open one as its start.
function instant(alert) {
  return Date.parse(alert.state === 'CLEARED' ? alert.end ?? alert.updated : alert.start);
}

function makeRow(store, alert) {
  const row = { alert };
  row.chip = html('span', { class: 'chip' });
  row.state = html('span', { class: 'alert-state' });
  row.reason = html('span');
  row.facts = html('p', { class: 'alert-facts' });
  row.note = html('p', { class: 'alert-note' });
  row.button = html('button', {
    type: 'button', class: 'quiet', 'aria-label': `Acknowledge the alert of ${alert.deviceId}`, onclick: event => {
      event.stopPropagation();
      acknowledge(store, row.alert);
    },
  }, 'Acknowledge');
  row.node = html('li', {
    class: 'alert', 'data-id': alert.alertId, onclick: event => {
      if (!event.target.closest('a') && !getSelection().toString()) {
        location.hash = deviceHash(alert.deviceId);
      }
    },
  },
    html('div', { class: 'alert-line' }, row.chip,
      html('a', { class: 'alert-device', href: deviceHash(alert.deviceId), title: alert.deviceId }, alert.deviceId), row.state, row.button),
    html('p', { class: 'alert-reason' }, html('b', {}, words(alert.kind)), ': ', row.reason), row.facts, row.note);
  return row;
}

function fillRow(row, alert, isSelected) {
  row.node.classList.toggle('selected', isSelected);
  if (row.alert === alert && row.node.dataset.state) {
    return;
  }
  row.alert = alert;
  row.node.dataset.state = alert.state;
  setStatusChip(row.chip, alert.severity);
  setText(row.state, words(alert.state));
  setText(row.reason, alert.reason ?? '');
  row.facts.replaceChildren(...facts(alert).map(text => html('span', {}, text)));
  row.note.hidden = !alert.acknowledgedBy;
  setText(row.note, alert.acknowledgedBy ? `${alert.acknowledgedBy}${alert.note ? `: ${alert.note}` : ''}` : '');
  row.button.hidden = alert.state !== 'OPEN';
}

// How long is told by event time: the browser's clock may be years away from a replayed series.
function facts(alert) {
  const start = Date.parse(alert.start);
  const end = Date.parse(alert.end ?? alert.updated);
  const lasted = end > start ? `, ${duration((end - start) / 1000)}` : '';
  const since = alert.end ? `${utc(start)} to ${utcShort(end, start)}${lasted}` : `since ${utc(start)}${lasted}`;
  const isKnown = value => value !== null && value !== undefined;
  const value = isKnown(alert.value) ? `value ${reading(alert.value)}` : null;
  const peak = isKnown(alert.peak) ? `peak ${reading(alert.peak)}` : null;
  const limit = isKnown(alert.limit) ? `limit ${plain(alert.limit)}` : null;
  // Only a threshold is a limit of the value; the others limit what the peak is of: a change a minute, a score, a silence.
  const pairs = alert.kind === 'THRESHOLD' ? [[value, limit], [peak]] : [[value], [peak, limit]];
  return [...pairs.map(pair => pair.filter(Boolean).join(', ')), since].filter(Boolean);
}
