// Amounts are decimals. JSON.parse would turn 109.90 into the binary number 109.9, so numbers with a fraction, an exponent or
// more digits than a double holds are kept as the text the server sent, and arithmetic on them is on whole units (BigInt).

const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const integerDigitsMax = 15;

/** Reads JSON; whole numbers of up to 15 digits become numbers, every other number becomes its text. */
export function readJson(text) {
  return JSON.parse(text.replace(tokens, token =>
    token[0] !== '"' && (/[.eE]/.test(token) || token.length > integerDigitsMax) ? `"${token}"` : token));
}

/** Is the text a number as JSON writes it? Then it can stand in a body unquoted, digit for digit. */
export function isJsonNumber(text) {
  return /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text);
}

function parse(value) {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value));
  if (!match) {
    return null;
  }
  const fraction = match[3] ?? '';
  return { units: BigInt(match[1] + match[2] + fraction), scale: fraction.length };
}

function write({ units, scale }) {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale);
  return (units < 0n ? '-' : '') + whole + (scale > 0 ? '.' + fraction : '');
}

function align(left, right) {
  const scale = Math.max(left.scale, right.scale);
  const lift = value => value.units * 10n ** BigInt(scale - value.scale);
  return [lift(left), lift(right), scale];
}

/** left - right, exactly; null when one of them is not a plain decimal. */
export function subtract(left, right) {
  const a = parse(left);
  const b = parse(right);
  if (!a || !b) {
    return null;
  }
  const [x, y, scale] = align(a, b);
  return write({ units: x - y, scale });
}

/** price times a whole quantity, exactly; null when one of them is not a plain decimal. */
export function multiply(price, quantity) {
  const a = parse(price);
  const b = parse(quantity);
  return a && b ? write({ units: a.units * b.units, scale: a.scale + b.scale }) : null;
}

/** An amount for the eye: thousands grouped, at least two decimals, never fewer digits than the server sent. */
export function amount(value) {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value ?? ''));
  if (!match) {
    return value === null || value === undefined ? '–' : String(value);
  }
  const [, sign, whole, fraction = ''] = match;
  return `${sign && '−'}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction.padEnd(2, '0')}`;
}

const counts = new Intl.NumberFormat('en');

/** A count for the eye. */
export function count(value) {
  return typeof value === 'number' ? counts.format(value) : value === undefined || value === null ? '–' : String(value);
}
