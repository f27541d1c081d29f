import { announce, byId, html, setStatusChip, setText } from './elements.js';
import { ask, Problem } from './api.js';
import { clearProblem, showProblem } from './fields.js';
import { plain, reading, utc } from './format.js';
import { loadMetadata } from './selection.js';

const fields = [
  { name: 'name', label: 'Name' }, { name: 'model', label: 'Model' }, { name: 'zone', label: 'Zone' },
  { name: 'silentAfterSeconds', label: 'Silent after, seconds', isNumber: true },
  { name: 'low', label: 'Low', isNumber: true }, { name: 'high', label: 'High', isNumber: true },
  { name: 'criticalLow', label: 'Critical low', isNumber: true }, { name: 'criticalHigh', label: 'Critical high', isNumber: true },
];

/** What is known of the selected device, and the form that changes its metadata. */
export function showDevice(store) {
  new DevicePanel(store).start();
}

class DevicePanel {
  #store;
  #panel = byId('device');
  #form = byId('device-form');
  #chip = byId('device-chip');
  #done = html('span', { class: 'soft', role: 'status' });
  #shown = null;
  #asked = null;

  constructor(store) {
    this.#store = store;
  }

  start() {
    this.#form.append(
      html('div', { class: 'pair' }, fields.map(({ name, label, isNumber }) => html('div', { class: 'field' },
        html('label', { for: `device-${name}` }, label),
        html('input', { id: `device-${name}`, name, spellcheck: 'false', inputmode: isNumber ? 'decimal' : 'text' })))),
      html('p', { class: 'hint' }, 'An empty field follows the rule of the sensor type.'),
      html('div', { class: 'form-problem' }),
      html('div', { class: 'form-actions' }, html('button', { type: 'submit', class: 'primary' }, 'Save'), this.#done));
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      this.#save();
    });
    this.#form.addEventListener('input', () => setText(this.#done, ''));
    this.#store.on('selection', () => this.#select());
    this.#store.on('values', () => this.#drawLive(), 500);
  }

  async #select() {
    const id = this.#store.selected;
    if (id === this.#shown) {
      return;
    }
    this.#shown = id;
    this.#asked?.abort();
    this.#chip.hidden = true;
    setText(byId('device-title'), id ?? 'Device');
    if (id === null) {
      this.#panel.dataset.state = 'empty';
      return;
    }
    const asked = new AbortController();
    this.#asked = asked;
    // What is shown of the device before stays in place until the answer comes, so that the panel does not collapse and grow again.
    try {
      this.#fill(await loadMetadata(this.#store, id, asked.signal));
      this.#panel.dataset.state = 'ready';
    } catch (problem) {
      if (!asked.signal.aborted) {
        this.#panel.dataset.state = 'error';
        setText(byId('device-problem'), problem.message);
      }
    }
  }

  #fill(device) {
    clearProblem(this.#form);
    setText(this.#done, '');
    // The form holds what was said of the device itself; what is in force without it, by the type or the readings, shows through.
    const said = device.described ?? {};
    for (const { name, isNumber } of fields) {
      const field = this.#form.elements[name];
      field.value = isNumber ? plain(said[name] ?? null) : said[name] ?? '';
      field.placeholder = isNumber ? plain(device[name]) : device[name] ?? '';
    }
    this.#drawFacts(device);
    this.#drawLive();
  }

  #drawFacts(device) {
    const facts = [
      ['Sensor type', device.sensorType], ['Zone', device.zone],
      ['Battery', device.batteryLevel === null ? null : `${plain(device.batteryLevel)} %`],
      ['Signal', device.signalStrength === null ? null : `${plain(device.signalStrength)} dBm`],
      ['Location', device.location ? `${device.location.lat.toFixed(4)}, ${device.location.lon.toFixed(4)}` : null],
    ];
    byId('device-facts').replaceChildren(
      html('div', {}, html('dt', {}, 'Value'), html('dd', { id: 'device-value' })),
      html('div', {}, html('dt', {}, 'Event time, UTC'), html('dd', { id: 'device-time' })),
      ...facts.filter(([, value]) => value).map(([name, value]) => html('div', {}, html('dt', {}, name), html('dd', {}, value))));
  }

  #drawLive() {
    const { devices } = this.#store;
    const index = this.#shown === null ? -1 : devices.indexOf(this.#shown);
    const value = byId('device-value');
    this.#chip.hidden = index < 0;
    if (index < 0 || !value) {
      return;
    }
    setStatusChip(this.#chip, devices.statusOf(index));
    setText(value, `${reading(devices.values[index])} ${devices.units[index]}`);
    setText(byId('device-time'), Number.isNaN(devices.times[index]) ? '–' : utc(devices.times[index]));
  }

  async #save() {
    const id = this.#shown;
    clearProblem(this.#form);
    setText(this.#done, '');
    const button = this.#form.querySelector('[type=submit]');
    button.disabled = true;
    try {
      const device = await ask(`/api/devices/${encodeURIComponent(id)}`, { method: 'PUT', body: this.#read() });
      this.#store.takeMetadata(device);
      if (this.#shown === id) {
        this.#fill(device);
        setText(this.#done, 'Saved.');
      }
      announce(`${id} saved.`);
    } catch (problem) {
      if (this.#shown === id) {
        showProblem(this.#form, problem);
      }
    } finally {
      button.disabled = false;
    }
  }

  // Every field is sent, so that what is not sent cannot mean two things. Only a number that is none is refused here.
  #read() {
    const body = {};
    const faults = new Map();
    for (const { name, isNumber } of fields) {
      const text = this.#form.elements[name].value.trim();
      body[name] = text === '' ? null : isNumber ? Number(text) : text;
      if (isNumber && !Number.isFinite(body[name] ?? 0)) {
        faults.set(name, [`"${text}" is not a number.`]);
      }
    }
    if (faults.size > 0) {
      throw new Problem(0, 'A field is not a number.', undefined, faults);
    }
    return body;
  }
}
