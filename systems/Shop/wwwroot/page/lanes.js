import { html, svg } from './elements.js';

// One lane per service, in the order in which an order passes through them. What names none of them gets a lane of its own.
const services = [
  { key: 'orders', name: 'Orders', word: /order/ },
  { key: 'payments', name: 'Payments', word: /payment/ },
  { key: 'inventory', name: 'Inventory', word: /inventory|stock/ },
  { key: 'notifications', name: 'Notifications', word: /notification|mail/ },
];
const other = { key: 'other', name: 'Other', word: /$/ };

const nodeRadius = 9;
const wide = { laneHeight: 74, labelWidth: 118, pad: 56, gapMin: 92 };
const narrow = { laneHeight: 76, labelWidth: 0, pad: 44, gapMin: 54 };
const narrowBelow = 640;
const wordWidthMax = 78;

/** Who said the event; where the Shop does not say, its type does. */
function serviceOf(event) {
  const name = event.service ?? event.type?.split('.').at(2) ?? '';
  return services.find(service => service.word.test(name)) ?? other;
}

/** com.ecommerce.payments.payment.processed as "Payment processed". */
export function eventWords(type) {
  const words = (type ?? 'unknown').split('.').slice(-2).join(' ').replace(/[-_]/g, ' ');
  return words[0].toUpperCase() + words.slice(1);
}

function shortWord(type) {
  const word = (type ?? 'unknown').split('.').at(-1).replace(/[-_]/g, ' ');
  return word[0].toUpperCase() + word.slice(1);
}

/** A span of milliseconds in the unit that says enough. */
export function span(milliseconds) {
  if (milliseconds < 1000) {
    return `${Math.round(milliseconds)} ms`;
  }
  return milliseconds < 60_000 ? `${(milliseconds / 1000).toFixed(2)} s` : `${(milliseconds / 60_000).toFixed(1)} min`;
}

/** By time, but never an effect before its cause, not even where a clock was set back between the two. */
export function inOrder(timeline) {
  const byId = new Map(timeline.map(event => [event.id, event]));
  const placeOf = (event, left = timeline.length) => {
    const at = Date.parse(event.time) || 0;
    const cause = left > 0 ? byId.get(event.causation) : undefined;
    if (!cause) {
      return { at, depth: 0 };
    }
    const before = placeOf(cause, left - 1);
    return { at: Math.max(at, before.at), depth: before.depth + 1 };
  };
  return timeline
    .map(event => ({ event, service: serviceOf(event), ...placeOf(event) }))
    .sort((a, b) => a.at - b.at || a.depth - b.depth);
}

/** The swim lanes of one order. `draw` may be called as often as events come; the chosen event stays chosen. */
export class Lanes {
  #host;
  #onChoose;
  #steps = [];
  #nodes = new Map();
  #chosenId = null;
  #isChosenByHand = false;
  #isPending = false;
  #seen = new Set();

  constructor(host, onChoose) {
    this.#host = host;
    this.#onChoose = onChoose;
    new ResizeObserver(() => this.#steps.length > 0 && this.#render()).observe(host);
  }

  clear() {
    this.#steps = [];
    this.#seen.clear();
    this.#chosenId = null;
    this.#isChosenByHand = false;
    this.#host.replaceChildren();
  }

  draw(timeline, isPending) {
    this.#steps = inOrder(timeline);
    this.#isPending = isPending;
    if (!this.#isChosenByHand || !timeline.some(event => event.id === this.#chosenId)) {
      this.#chosenId = this.#steps.at(-1)?.event.id ?? null;
    }
    this.#render();
    this.#tell();
  }

  #render() {
    const size = this.#host.clientWidth;
    if (size === 0 || this.#steps.length === 0) {
      return;
    }
    const hadFocus = this.#host.contains(document.activeElement);
    const scrolled = this.#host.scrollLeft;
    const look = size < narrowBelow ? narrow : wide;
    const lanes = this.#steps.some(step => step.service === other) ? [...services, other] : services;
    const { places, width } = this.#place(size, look, lanes);
    const height = lanes.length * look.laneHeight + 26;
    const picture = svg('svg', {
      class: 'lanes', width, height, viewBox: `0 0 ${width} ${height}`, role: 'listbox',
      'aria-label': 'Events by time, one lane per service', 'aria-orientation': 'horizontal',
    }, drawLanes(lanes, look, width), drawTimes(places, height), this.#drawArrows(places));
    this.#nodes.clear();
    for (const place of places) {
      const node = this.#drawNode(place, places[0].step.at);
      this.#nodes.set(place.step.event.id, node);
      picture.append(node);
    }
    this.#host.replaceChildren(picture);
    this.#host.scrollLeft = scrolled;
    this.#mark();
    if (hadFocus) {
      this.#nodes.get(this.#chosenId)?.focus();
    }
  }

  // Events come within milliseconds of each other or minutes apart: the gap grows with the logarithm of the time between.
  #place(size, look, lanes) {
    const first = look.labelWidth + look.pad;
    const weights = this.#steps.slice(1).map((step, index) => 1 + Math.log10(1 + Math.max(0, step.at - this.#steps[index].at)));
    // An order in flight leaves room for what is still to come, so that its first events do not jump with each new one.
    const room = this.#isPending ? Math.min(size - first - look.pad, look.gapMin * 2 * weights.length) : size - first - look.pad;
    const spare = Math.max(0, room - look.gapMin * weights.length);
    const weightSum = weights.reduce((sum, weight) => sum + weight, 0);
    let x = first;
    const places = this.#steps.map((step, index) => {
      x += index === 0 ? 0 : look.gapMin + spare * weights[index - 1] / weightSum;
      return { step, x, y: lanes.indexOf(step.service) * look.laneHeight + look.laneHeight / 2 - 4, isWordAbove: false };
    });
    // Words of neighbours in one lane would run into each other where they stand close: every other one goes above its node.
    places.forEach((place, index) => {
      const before = places[index - 1];
      place.isWordAbove = before?.y === place.y && place.x - before.x < wordWidthMax && !before.isWordAbove;
    });
    return { places, width: Math.max(size, Math.ceil(x + look.pad + (this.#isPending ? look.gapMin / 2 : 0))) };
  }

  #drawArrows(places) {
    const byId = new Map(places.map(place => [place.step.event.id, place]));
    const group = svg('g', { class: 'lane-arrows', 'aria-hidden': 'true' },
      svg('defs', {}, svg('marker', {
        id: 'arrow-head', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto',
      }, svg('path', { d: 'M0 0.5L8 4L0 7.5Z' }))));
    for (const place of places) {
      const cause = byId.get(place.step.event.causation);
      const endX = place.x - nodeRadius - 3;
      const path = cause
        ? curve(cause.x + nodeRadius + 1, cause.y, endX, place.y)
        : `M${place.x - nodeRadius - 26} ${place.y}H${endX}`;
      group.append(svg('path', {
        class: cause ? 'lane-arrow' : 'lane-arrow lane-entry', d: path, 'marker-end': 'url(#arrow-head)',
        'data-cause': place.step.event.causation ?? '', 'data-effect': place.step.event.id,
      }));
    }
    if (this.#isPending) {
      const last = places.at(-1);
      group.append(svg('path', { class: 'lane-arrow lane-waiting', d: `M${last.x + nodeRadius + 2} ${last.y}h30` }));
    }
    return group;
  }

  #drawNode({ step, x, y, isWordAbove }, start) {
    const { event, service, at } = step;
    const isNew = !this.#seen.has(event.id);
    this.#seen.add(event.id);
    return svg('g', {
      class: `lane-node${isNew ? ' new' : ''}${isFailure(event.type) ? ' failure' : ''}`,
      'data-service': service.key, 'data-event': event.id, role: 'option',
      'aria-label': `${service.name}: ${eventWords(event.type)}, ${span(at - start)} after the first event`,
      onpointerenter: () => this.#choose(event.id),
      onclick: () => this.#choose(event.id),
      onfocus: () => this.#choose(event.id),
      onkeydown: key => this.#move(key),
    },
    svg('rect', { class: 'lane-target', x: x - 26, y: y - 22, width: 52, height: 56 }),
    svg('circle', { class: 'lane-halo', cx: x, cy: y, r: nodeRadius + 5 }),
    svg('circle', { class: 'lane-dot', cx: x, cy: y, r: nodeRadius }),
    svg('path', { class: 'lane-glyph', d: glyph(event.type, x, y) }),
    svg('text', { class: 'lane-word', x, y: isWordAbove ? y - 18 : y + 26, 'text-anchor': 'middle' }, shortWord(event.type)));
  }

  #move(key) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key.key];
    const index = this.#steps.findIndex(item => item.event.id === this.#chosenId);
    const target = key.key === 'Home' ? 0 : key.key === 'End' ? this.#steps.length - 1 : step ? index + step : -1;
    const next = this.#steps[target];
    if (next) {
      key.preventDefault();
      this.#nodes.get(next.event.id).focus();
    }
  }

  #choose(id) {
    this.#isChosenByHand = true;
    if (this.#chosenId !== id) {
      this.#chosenId = id;
      this.#mark();
      this.#tell();
    }
  }

  #mark() {
    for (const [id, node] of this.#nodes) {
      node.setAttribute('aria-selected', id === this.#chosenId);
      node.setAttribute('tabindex', id === this.#chosenId ? 0 : -1);
    }
    for (const arrow of this.#host.querySelectorAll('.lane-arrow')) {
      arrow.classList.toggle('chosen', arrow.dataset.effect === this.#chosenId || arrow.dataset.cause === this.#chosenId);
    }
  }

  #tell() {
    const step = this.#steps.find(item => item.event.id === this.#chosenId);
    if (step) {
      this.#onChoose(step, this.#steps[0].at, this.#steps.find(item => item.event.id === step.event.causation));
    }
  }
}

function drawLanes(lanes, look, width) {
  return svg('g', { 'aria-hidden': 'true' }, lanes.map((lane, index) => {
    const top = index * look.laneHeight;
    return svg('g', { class: 'lane', 'data-service': lane.key },
      svg('rect', { class: 'lane-band', x: 0.5, y: top + 2, width: width - 1, height: look.laneHeight - 6, rx: 8 }),
      svg('rect', { class: 'lane-edge', x: 0.5, y: top + 2, width: 4, height: look.laneHeight - 6, rx: 2 }),
      svg('text', look.labelWidth > 0
        ? { class: 'lane-name', x: 16, y: top + look.laneHeight / 2 }
        : { class: 'lane-name', x: 12, y: top + 18 }, lane.name));
  }));
}

function drawTimes(places, height) {
  const start = places[0].step.at;
  return svg('g', { class: 'lane-times', 'aria-hidden': 'true' }, places.map(({ step, x }, index) => [
    svg('line', { x1: x, x2: x, y1: 4, y2: height - 22 }),
    svg('text', { x, y: height - 7, 'text-anchor': 'middle' }, index === 0 ? 'start' : `+${span(step.at - start)}`),
  ]));
}

function curve(x1, y1, x2, y2) {
  const bend = Math.max(18, (x2 - x1) / 2);
  return y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

function isFailure(type) {
  return /\.(failed|cancelled|insufficient|refunded)$/.test(type ?? '');
}

// A tick for what went well, a cross for what did not, a turn for money given back: the meaning does not hang on colour.
function glyph(type, x, y) {
  if (/\.refunded$/.test(type)) {
    return `M${x + 4} ${y + 2.5}a4.2 4.2 0 1 1 0 -5M${x + 4.4} ${y - 5}v3h-3`;
  }
  return isFailure(type)
    ? `M${x - 3} ${y - 3}l6 6M${x + 3} ${y - 3}l-6 6`
    : `M${x - 3.8} ${y + 0.2}l2.6 2.8l5 -5.6`;
}

/** The same events as a list, for those who read rather than look. */
export function timelineRows(timeline) {
  const steps = inOrder(timeline);
  const words = new Map(steps.map(step => [step.event.id, eventWords(step.event.type)]));
  return steps.map(({ event, at, service }) => html('tr', {},
    html('td', { class: 'number' }, `+${span(at - steps[0].at)}`),
    html('td', {}, service.name),
    html('th', { scope: 'row' }, eventWords(event.type)),
    html('td', {}, event.causation ? words.get(event.causation) ?? event.causation : 'a request'),
    html('td', {}, html('code', {}, event.id))));
}
