// Figures and times as the page writes them. All times are event times or times of the server, in UTC, never of the browser's zone.

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function count(value) {
  return whole.format(value ?? 0);
}

/** A measured value with as many digits as one can compare at a glance. */
export function reading(value) {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return '–';
  }
  const size = Math.abs(value);
  return size >= 10_000 ? whole.format(value) : value.toFixed(size >= 100 ? 1 : 2);
}

/** A limit: as short as it was written. */
export function plain(value) {
  return value === null || value === undefined ? '' : String(Math.round(value * 1e6) / 1e6);
}

const signs = {
  celsius: '°C', fahrenheit: '°F', kelvin: 'K', percent: '%', hectopascal: 'hPa', 'millimetre-per-second': 'mm/s', kilowatt: 'kW',
  watt: 'W', volt: 'V', ampere: 'A', none: '',
};

/** A unit's sign where it has a known one, else its name as the device says it. */
export function unitSign(unit) {
  return Object.hasOwn(signs, unit) ? signs[unit] : unit ?? '';
}

export function perSecond(rate) {
  return rate === null ? '' : rate >= 100 ? whole.format(rate) : rate.toFixed(1);
}

/** 2013-12-02 21:15:00; an instant that is none is a dash. */
export function utc(ms) {
  const date = new Date(ms);
  return ms === null || Number.isNaN(date.getTime()) ? '–' : date.toISOString().slice(0, 19).replace('T', ' ');
}

/** The time of day, with its date where it is not the day of `beside`. */
export function utcShort(ms, beside) {
  const text = utc(ms);
  return beside !== undefined && text.slice(0, 10) === utc(beside).slice(0, 10) ? text.slice(11) : text;
}

/** 75 as "1 min 15 s": the two largest units. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) {
    return '–';
  }
  if (seconds < 10) {
    return `${Math.max(0, seconds).toFixed(1)} s`;
  }
  const units = [['y', 31_557_600], ['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[first];
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  return `${whole.format(Math.floor(seconds / size))} ${name}${rest > 0 ? ` ${rest} ${next[0]}` : ''}`;
}

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = value < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${power === 0 ? value : (value / 1024 ** power).toFixed(1)} ${units[power]}`;
}
