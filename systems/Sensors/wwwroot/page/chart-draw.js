import { palette } from './palette.js';
import { plain, utc } from './format.js';
import { words } from './elements.js';

const margin = { left: 50, right: 10, top: 20, bottom: 20 };
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const timeSteps = [second, 5 * second, 15 * second, 30 * second, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
  hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day, 30 * day, 91 * day, 365 * day];
const tickWidth = 84;
const pointsWithDots = 60;

/** Limits by name, with how each is drawn. The dashes differ, so that colour is not the only sign. */
export const limitKinds = [
  { name: 'criticalHigh', label: 'critical high', colour: 'mark-critical', dash: [2, 3], isAbove: true },
  { name: 'high', label: 'high', colour: 'mark-warning', dash: [7, 4], isAbove: false },
  { name: 'low', label: 'low', colour: 'mark-warning', dash: [7, 4], isAbove: true },
  { name: 'criticalLow', label: 'critical low', colour: 'mark-critical', dash: [2, 3], isAbove: false },
];

/** The frame of a chart: from points and limits to the pixels and back. */
export function frameOf(width, height, points, from, to, limits) {
  const [low, high] = valueRange(points, limits);
  const plot = { left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
  const x = time => plot.left + (time - from) / Math.max(1, to - from) * (plot.right - plot.left);
  const y = value => plot.bottom - (value - low) / (high - low) * (plot.bottom - plot.top);
  const timeAt = at => from + (at - plot.left) / (plot.right - plot.left) * (to - from);
  return { ...plot, width, height, from, to, low, high, x, y, timeAt };
}

export function drawChart(context, frame, { points, limits, episodes, cursor }) {
  const colours = palette();
  context.clearRect(0, 0, frame.width, frame.height);
  context.font = `11px ${colours.font}`;
  context.save();
  context.beginPath();
  context.rect(frame.left, 0, frame.right - frame.left, frame.bottom);
  context.clip();
  drawEpisodes(context, frame, episodes, colours);
  context.restore();
  drawAxes(context, frame, colours);
  context.save();
  context.beginPath();
  context.rect(frame.left, frame.top - 4, frame.right - frame.left, frame.bottom - frame.top + 8);
  context.clip();
  drawLimits(context, frame, limits, colours);
  drawReadings(context, frame, points, colours);
  drawCursor(context, frame, cursor, colours);
  context.restore();
}

// A limit far away from the readings would press them flat: it is left to the words below the chart.
function valueRange(points, limits) {
  let low = Infinity;
  let high = -Infinity;
  for (const point of points) {
    low = Math.min(low, point.min);
    high = Math.max(high, point.max);
  }
  if (low > high) {
    return [0, 1];
  }
  const span = Math.max(high - low, Math.abs(high) / 100, 0.01);
  const near = limitKinds.map(kind => limits?.[kind.name])
    .filter(value => typeof value === 'number' && value > low - span && value < high + span);
  const [bottom, top] = [Math.min(low, ...near), Math.max(high, ...near)];
  const pad = Math.max(top - bottom, span) * 0.11;
  return [bottom - pad, top + pad];
}

function drawEpisodes(context, frame, episodes, colours) {
  let labelEnd = -Infinity;
  for (const { start, end, alert } of episodes) {
    const isCritical = alert.severity === 'CRITICAL';
    const left = frame.x(start);
    const width = Math.max(3, frame.x(end) - left);
    context.globalAlpha = 0.75;
    context.fillStyle = colours[isCritical ? 'bad-wash' : 'wait-wash'];
    context.fillRect(left, frame.top, width, frame.bottom - frame.top);
    context.globalAlpha = 1;
    context.fillStyle = colours[isCritical ? 'mark-critical' : 'mark-warning'];
    context.fillRect(left, frame.top - 3, width, 3);
    const label = `${words(alert.kind)}, ${alert.severity.toLowerCase()}`;
    const labelWidth = context.measureText(label).width;
    const at = Math.min(Math.max(left, frame.left), frame.right - labelWidth);
    if (at > labelEnd + 8) {
      context.fillStyle = colours[isCritical ? 'bad' : 'wait'];
      context.textAlign = 'left';
      context.textBaseline = 'alphabetic';
      context.fillText(label, at, frame.top - 7);
      labelEnd = at + labelWidth;
    }
  }
}

function drawAxes(context, frame, colours) {
  context.lineWidth = 1;
  context.strokeStyle = colours.line;
  context.fillStyle = colours.soft;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  const step = niceStep((frame.high - frame.low) / 8);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let tick = Math.ceil(frame.low / step); tick * step <= frame.high; tick++) {
    const y = Math.round(frame.y(tick * step)) + 0.5;
    line(context, frame.left, y, frame.right, y);
    context.fillText((tick * step).toFixed(Math.min(6, decimals)), frame.left - 7, y);
  }

  const ticksMax = Math.max(2, Math.floor((frame.right - frame.left) / tickWidth));
  const timeStep = timeSteps.find(one => (frame.to - frame.from) / one <= ticksMax) ?? timeSteps.at(-1);
  context.textBaseline = 'alphabetic';
  context.textAlign = 'center';
  let labelled = null;
  for (let time = Math.ceil(frame.from / timeStep) * timeStep; time <= frame.to; time += timeStep) {
    const x = Math.round(frame.x(time)) + 0.5;
    line(context, x, frame.bottom, x, frame.bottom + 4);
    const text = tickText(time, timeStep, labelled);
    const half = context.measureText(text).width / 2;
    if (x - half >= 0 && x + half <= frame.width) {
      context.fillText(text, x, frame.height - 4);
      labelled = time;
    }
  }
  context.strokeStyle = colours['line-strong'];
  line(context, frame.left, frame.bottom + 0.5, frame.right, frame.bottom + 0.5);
}

// The date stands where a day begins, the time of day elsewhere.
function tickText(time, step, before) {
  const text = utc(time);
  const isNewDay = before !== null && utc(before).slice(0, 10) !== text.slice(0, 10);
  if (step >= day || isNewDay) {
    return step >= 300 * day ? text.slice(0, 4) : step >= day || time % day === 0 ? text.slice(0, 10) : text.slice(5, 16);
  }
  return step < minute ? text.slice(11) : text.slice(11, 16);
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = rough / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

function drawLimits(context, frame, limits, colours) {
  const labels = [];
  for (const { name, label, colour, dash, isAbove } of limitKinds) {
    const value = limits?.[name];
    if (typeof value !== 'number' || value < frame.low || value > frame.high) {
      continue;
    }
    const y = Math.round(frame.y(value)) + 0.5;
    context.strokeStyle = colours[colour];
    context.lineWidth = 1.3;
    context.setLineDash(dash);
    line(context, frame.left, y, frame.right, y);
    context.setLineDash([]);
    // The words of a pair stand on different sides of its lines, and never outside of the plot.
    const isUnder = isAbove ? y < frame.top + 10 : y < frame.bottom - 14;
    const at = y + (isUnder ? 8 : -8);
    if (labels.every(other => Math.abs(other - at) > 12)) {
      labels.push(at);
      context.fillStyle = colours[colour === 'mark-critical' ? 'bad' : 'wait'];
      context.textAlign = 'right';
      context.textBaseline = 'middle';
      context.fillText(`${label} ${plain(value)}`, frame.right - 3, at);
    }
  }
}

// The band is from the least to the greatest reading of each step, the line goes through the means; where readings stop, so do both.
function drawReadings(context, frame, points, colours) {
  for (const run of runs(points)) {
    context.beginPath();
    run.forEach((point, at) => (at === 0 ? context.moveTo : context.lineTo).call(context, frame.x(point.time), frame.y(point.max)));
    run.toReversed().forEach(point => context.lineTo(frame.x(point.time), frame.y(point.min)));
    context.closePath();
    context.globalAlpha = 0.22;
    context.fillStyle = colours.accent;
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    run.forEach((point, at) => (at === 0 ? context.moveTo : context.lineTo).call(context, frame.x(point.time), frame.y(point.mean)));
    context.strokeStyle = colours.accent;
    context.lineWidth = 1.6;
    context.lineJoin = 'round';
    context.stroke();
    if (run.length === 1 || points.length < pointsWithDots) {
      run.forEach(point => dot(context, frame.x(point.time), frame.y(point.mean), 2, colours.accent));
    }
  }
}

function runs(points) {
  if (points.length < 3) {
    return points.length > 0 ? [points] : [];
  }
  const gaps = points.slice(1).map((point, at) => point.time - points[at].time).sort((a, b) => a - b);
  const gapMax = gaps[gaps.length >> 1] * 4;
  const found = [[points[0]]];
  for (let at = 1; at < points.length; at++) {
    if (points[at].time - points[at - 1].time > gapMax) {
      found.push([]);
    }
    found.at(-1).push(points[at]);
  }
  return found;
}

function drawCursor(context, frame, cursor, colours) {
  if (!cursor) {
    return;
  }
  const x = Math.round(frame.x(cursor.time)) + 0.5;
  context.strokeStyle = colours.soft;
  context.lineWidth = 1;
  line(context, x, frame.top - 4, x, frame.bottom);
  dot(context, x, frame.y(cursor.mean), 3.5, colours.ink);
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function dot(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
