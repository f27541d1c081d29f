// The colours of values. Equal steps of value are equal steps of lightness in OKLab (B. Ottosson, "A perceptual color space for
// image processing", 2020), so the eye reads differences as large as they are; lightness alone tells low from high, without hue.

const first = { lightness: 0.34, chroma: 0.12, hue: 275 };
const last = { lightness: 0.9, chroma: 0.13, hue: 118 };

export const steps = 64;

/** CSS colours from low to high. */
export const ramp = Array.from({ length: steps }, (_, step) => colourAt(step / (steps - 1)));

/** Whether text on the step has to be dark. */
export const isBright = step => step > steps * 0.5;

function colourAt(share) {
  const mix = name => first[name] + (last[name] - first[name]) * share;
  const angle = mix('hue') * Math.PI / 180;
  return srgb(mix('lightness'), mix('chroma') * Math.cos(angle), mix('chroma') * Math.sin(angle));
}

function srgb(lightness, a, b) {
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channels = [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ];
  return `rgb(${channels.map(encoded).join(' ')})`;
}

function encoded(linear) {
  const clipped = Math.min(1, Math.max(0, linear));
  return Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
}

const shareCut = 0.02;
const sampleMax = 4_096;
const warningStatus = 2;

/**
 * The range of values per sensor type that the colours are spread over: the middle 96 % of what healthy devices of the type have shown
 * since the page was opened. It only grows, so a colour does not change its meaning under the eye each second.
 */
export class Ranges {
  #ranges = new Map();

  /** Looks at the present values; answers whether a range has changed by so much that all colours must be drawn anew. */
  measure(devices) {
    const samples = new Map();
    for (let index = 0; index < devices.ids.length; index++) {
      const value = devices.values[index];
      if (Number.isNaN(value) || devices.status[index] >= warningStatus) {
        continue;
      }
      const type = devices.types[index];
      const sample = samples.get(type) ?? { values: [], unit: devices.units[index] };
      samples.set(type, sample);
      if (sample.values.length < sampleMax) {
        sample.values.push(value);
      }
    }
    let isChanged = false;
    for (const [type, { values, unit }] of samples) {
      isChanged = this.#grow(type, unit, values.sort((a, b) => a - b)) || isChanged;
    }
    return isChanged;
  }

  /** The step of the ramp for a value. */
  step(type, value) {
    const range = this.#ranges.get(type);
    if (!range) {
      return steps >> 1;
    }
    const step = Math.floor((value - range.low) / (range.high - range.low) * steps);
    return step < 0 ? 0 : step >= steps ? steps - 1 : step;
  }

  entries() {
    return [...this.#ranges].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #grow(type, unit, sorted) {
    const cut = Math.floor(sorted.length * shareCut);
    let low = sorted[cut];
    let high = sorted[sorted.length - 1 - cut];
    // One device, or equal values, have no width: one hundredth of the value or a unit in the first place gives them some.
    const widthMin = Math.max(Math.abs(high) / 100, 0.01);
    if (high - low < widthMin) {
      [low, high] = [low - widthMin / 2, high + widthMin / 2];
    }
    const known = this.#ranges.get(type);
    if (!known) {
      this.#ranges.set(type, { low, high, unit });
      return true;
    }
    const slack = (known.high - known.low) / 20;
    if (low >= known.low - slack && high <= known.high + slack) {
      return false;
    }
    this.#ranges.set(type, { low: Math.min(low, known.low), high: Math.max(high, known.high), unit });
    return true;
  }
}
