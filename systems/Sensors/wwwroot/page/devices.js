import { unitSign } from './format.js';

// All devices in columns: ten thousand of them, four times a second, cost a pass over typed arrays and no objects.

export const statuses = ['UNKNOWN', 'OK', 'WARNING', 'CRITICAL', 'SILENT'];

const frameVersion = 1;
const frameHeadBytes = 16;
const bytesPerValue = 8 + 4 + 4 + 1;
const indexMax = 1_000_000;

/** What the feed told of each device, by the index that the server gave it. */
export class Devices {
  ids = [];
  zones = [];
  types = [];
  units = [];
  /** NaN where a device has no value yet. */
  values = new Float32Array(0);
  /** Event time of the value, in milliseconds; NaN where there is none. */
  times = new Float64Array(0);
  /** An index into `statuses`. */
  status = new Uint8Array(0);
  /** Grows when a device is added or described anew: the map has to be laid out again. */
  version = 0;

  #byId = new Map();
  #order = { version: -1, indexes: [] };
  #isChanged = new Uint8Array(0);
  #changed = [];

  get count() {
    return this.#byId.size;
  }

  indexOf(deviceId) {
    return this.#byId.get(deviceId) ?? -1;
  }

  /** The indexes of all devices in the order of their ids. */
  order() {
    if (this.#order.version !== this.version) {
      const indexes = [...this.#byId.values()].sort((a, b) => (this.ids[a] < this.ids[b] ? -1 : 1));
      this.#order = { version: this.version, indexes };
    }
    return this.#order.indexes;
  }

  statusOf(index) {
    return statuses[this.status[index]] ?? 'UNKNOWN';
  }

  clear() {
    this.ids = [];
    this.zones = [];
    this.types = [];
    this.units = [];
    this.values.fill(NaN);
    this.times.fill(NaN);
    this.status.fill(0);
    this.#isChanged.fill(0);
    this.#changed = [];
    this.#byId.clear();
    this.version++;
  }

  /** Rows of a snapshot or of devices that are new or described anew. */
  takeRows(rows) {
    for (const [index, deviceId, zone, type, unit, , , value, time, status] of rows) {
      if (!(index >= 0 && index < indexMax)) {
        continue;
      }
      this.#reserve(index + 1);
      const known = this.ids[index];
      if (known !== undefined && known !== deviceId) {
        this.#byId.delete(known);
      }
      this.ids[index] = deviceId;
      this.zones[index] = zone;
      this.types[index] = type;
      this.units[index] = unitSign(unit);
      this.#byId.set(deviceId, index);
      this.#set(index, value ?? NaN, time ?? NaN, status);
    }
    this.version += rows.length > 0 ? 1 : 0;
  }

  /** A binary frame of values. The columns are read in place: every platform that runs browsers is little endian, as the frame is. */
  takeFrame(buffer) {
    const head = new DataView(buffer);
    const version = head.getUint32(0, true);
    const count = head.getUint32(4, true);
    if (version !== frameVersion || buffer.byteLength < frameHeadBytes + count * bytesPerValue) {
      throw new Error(`A frame of version ${version} with ${count} values in ${buffer.byteLength} bytes is none that this page reads.`);
    }
    let offset = frameHeadBytes;
    const times = new Float64Array(buffer, offset, count);
    const indexes = new Uint32Array(buffer, offset += count * 8, count);
    const values = new Float32Array(buffer, offset += count * 4, count);
    const status = new Uint8Array(buffer, offset += count * 4, count);
    for (let at = 0; at < count; at++) {
      // A value of a device that was not described yet has nowhere to be drawn; its description brings the value with it.
      if (this.ids[indexes[at]] !== undefined) {
        this.#set(indexes[at], values[at], times[at], status[at]);
      }
    }
  }

  /** The indexes that changed since they were last taken. */
  takeChanged() {
    const changed = this.#changed;
    this.#changed = [];
    for (const index of changed) {
      this.#isChanged[index] = 0;
    }
    return changed;
  }

  #set(index, value, time, status) {
    this.values[index] = value;
    this.times[index] = time;
    this.status[index] = status;
    if (this.#isChanged[index] === 0) {
      this.#isChanged[index] = 1;
      this.#changed.push(index);
    }
  }

  #reserve(count) {
    if (count <= this.values.length) {
      return;
    }
    const capacity = Math.max(1024, 2 ** Math.ceil(Math.log2(count)));
    const grow = (from, empty) => {
      const to = new from.constructor(capacity).fill(empty);
      to.set(from);
      return to;
    };
    this.values = grow(this.values, NaN);
    this.times = grow(this.times, NaN);
    this.status = grow(this.status, 0);
    this.#isChanged = grow(this.#isChanged, 0);
  }
}
