// Where each device stands: zones in rows that share the width by their number of devices, one square cell per device, all cells of
// one size, as large as the height allows. Pure: the same devices and the same box give the same places.

const labelHeight = 18;
const rowGap = 6;
const zoneGap = 10;
const zoneWidthMin = 64;
const pitchMin = 4;
const pitchMax = 72;

/** `groups`: [{name, indexes}] in the order to show. Answers {pitch, gap, height, blocks: [{name, indexes, x, y, columns, width}]}. */
export function layOut(groups, width, height) {
  const total = groups.reduce((sum, group) => sum + group.indexes.length, 0);
  const rowsMax = Math.min(groups.length, 16);
  let best = null;
  for (let rows = 1; rows <= rowsMax; rows++) {
    const split = splitRows(groups, total, rows);
    for (let pitch = pitchMax; pitch >= (best?.pitch ?? pitchMin - 1) + 1; pitch--) {
      const placed = place(split, width, pitch);
      if (placed && placed.height <= height) {
        best = placed;
        break;
      }
    }
  }
  return best ?? place(splitRows(groups, total, rowsMax), width, pitchMin, true);
}

/** The device at a point, or -1. */
export function indexAt({ blocks, pitch }, x, y) {
  for (const block of blocks) {
    const column = Math.floor((x - block.x) / pitch);
    const row = Math.floor((y - block.y) / pitch);
    if (column >= 0 && column < block.columns && row >= 0) {
      const found = block.indexes[row * block.columns + column];
      if (found !== undefined) {
        return found;
      }
    }
  }
  return -1;
}

// Rows of about the same number of devices, in the order of the zones, so that a zone is found where its name would be.
function splitRows(groups, total, rows) {
  const split = Array.from({ length: rows }, () => []);
  let before = 0;
  for (const group of groups) {
    const middle = before + group.indexes.length / 2;
    split[Math.min(rows - 1, Math.floor(middle * rows / Math.max(1, total)))].push(group);
    before += group.indexes.length;
  }
  return split.filter(row => row.length > 0);
}

// By the number of devices, but never too narrow for a name. The smallest zones are served first: what they take above their share
// is then missing for all larger ones alike.
function shareWidth(row, shared) {
  const widths = new Map();
  const least = Math.min(zoneWidthMin, shared / row.length);
  let devices = row.reduce((sum, group) => sum + group.indexes.length, 0);
  let rest = shared;
  for (const group of row.toSorted((a, b) => a.indexes.length - b.indexes.length)) {
    const own = Math.floor(Math.max(least, rest * group.indexes.length / devices));
    widths.set(group, own);
    rest -= own;
    devices -= group.indexes.length;
  }
  return widths;
}

function place(split, width, pitch, isForced = false) {
  const blocks = [];
  let y = 0;
  for (const row of split) {
    const shared = width - zoneGap * (row.length - 1);
    if (shared < zoneWidthMin * row.length && !isForced) {
      return null;
    }
    const widths = shareWidth(row, shared);
    let x = 0;
    let rowHeight = 0;
    for (const group of row) {
      const own = widths.get(group);
      const columns = Math.max(1, Math.floor(own / pitch));
      const lines = Math.ceil(group.indexes.length / columns);
      blocks.push({ name: group.name, indexes: group.indexes, x: Math.round(x), y: y + labelHeight, columns, width: own });
      rowHeight = Math.max(rowHeight, lines * pitch);
      x += own + zoneGap;
    }
    y += labelHeight + rowHeight + rowGap;
  }
  return { pitch, gap: pitch >= 14 ? 2 : 1, height: y, blocks };
}
