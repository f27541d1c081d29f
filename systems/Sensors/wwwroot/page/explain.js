import { byId, html, setText } from './elements.js';
import { ask } from './api.js';
import { bytes, count, utc } from './format.js';

const refreshMs = 2_000;
const columns = ['Operator', 'In', 'Out', 'Late', 'Keyless', 'State entries', 'State size', 'Watermark, UTC', 'Held back by',
  'Waits for, UTC'];

/** Why there is no output: each operator's counts, watermark and state, asked again every two seconds while the panel is open. */
export function showExplain() {
  const panel = byId('explain');
  let timer = 0;
  const refresh = async () => {
    clearTimeout(timer);
    try {
      if (!document.hidden) {
        draw(await ask('/api/streams'));
      }
    } catch (problem) {
      showMessage(problem.message, true);
    }
    if (panel.open) {
      timer = setTimeout(refresh, refreshMs);
    }
  };
  panel.addEventListener('toggle', () => panel.open && refresh());
}

function showMessage(text, isError) {
  const message = byId('explain-message');
  message.hidden = text === '';
  message.classList.toggle('error', isError);
  setText(message, text);
}

function draw(streams) {
  showMessage(streams.length === 0 ? 'No stream runs here.' : '', false);
  const host = byId('explain-body');
  // The tables are made anew, but the reader who scrolled to a column stays there.
  const scrolls = [...host.querySelectorAll('.scroll')].map(node => node.scrollLeft);
  const focused = [...host.querySelectorAll('.scroll')].indexOf(document.activeElement);
  host.replaceChildren(...streams.map(drawStream));
  host.querySelectorAll('.scroll').forEach((node, at) => {
    node.scrollLeft = scrolls[at] ?? 0;
    if (at === focused) {
      node.focus({ preventScroll: true });
    }
  });
}

function drawStream({ name, stages }) {
  return html('section', { class: 'stream', 'data-stream': name },
    html('h3', {}, name),
    html('ul', { class: 'answers' }, answers(stages)),
    html('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Operators of ${name}` },
      html('table', { class: 'data' },
        html('thead', {}, html('tr', {}, columns.map((title, at) =>
          html('th', { scope: 'col', class: at > 0 && at < 7 ? 'number' : null }, title)))),
        stages.map(drawStage))));
}

function drawStage({ name, topics, partitions, operators }) {
  return html('tbody', {},
    html('tr', { class: 'stage' }, html('th', { scope: 'rowgroup', colspan: 10 },
      `${name}: ${topics.join(', ')}, ${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`)),
    operators.map(operator => html('tr', { 'data-operator': operator.name },
      html('th', { scope: 'row' }, operator.name),
      [operator.recordsIn, operator.recordsOut, operator.recordsLate, operator.recordsKeyless, operator.stateEntries]
        .map(value => html('td', { class: 'number' }, count(value))),
      html('td', { class: 'number' }, bytes(operator.stateBytes ?? 0)),
      html('td', { class: 'watermark' }, instant(operator.watermark)),
      html('td', { class: operator.heldBackBy ? 'held' : null }, operator.heldBackBy ?? '–'),
      html('td', {}, instant(operator.waitsFor)))));
}

// The same as the table, in words, for what explains a missing output. All operators of a stage mostly share its watermark, so the
// one furthest behind speaks for it.
function answers(stages) {
  const found = [];
  for (const stage of stages) {
    const last = stage.operators.filter(one => one.watermark).sort((a, b) => Date.parse(a.watermark) - Date.parse(b.watermark))[0];
    if (last) {
      const held = last.heldBackBy ? `, held back by ${last.heldBackBy}` : '';
      found.push(`${stage.name}: the watermark is at ${instant(last.watermark)}${held}.`);
    } else {
      found.push(`${stage.name}: no watermark yet, because no partition has had a record.`);
    }
    for (const { name, recordsIn, recordsOut, waitsFor } of stage.operators) {
      const given = recordsIn > 0 && recordsOut === 0 ? `${name} has taken ${count(recordsIn)} records and given none` : '';
      if (waitsFor) {
        found.push(`${given || name}${given ? '; it' : ''} gives its next result when the watermark has come to ${instant(waitsFor)}.`);
      } else if (given) {
        found.push(`${given}.`);
      }
    }
  }
  return found.map(text => html('li', {}, text));
}

function instant(text) {
  return text ? utc(Date.parse(text)) : '–';
}
