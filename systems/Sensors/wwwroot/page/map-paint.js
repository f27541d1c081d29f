import { palette } from './palette.js';
import { isBright, ramp } from './scale.js';

const [unknown, , warning, critical, silent] = [0, 1, 2, 3, 4];
const textPitchMin = 40;

/**
 * Paints cells, each inside its own box, so that a cell that changes is painted over without its neighbours. Marks differ in shape:
 * a warning has a frame and a corner, a critical one a thick frame and a cross, a silent one is hatched, an unknown one is empty.
 */
export class CellPainter {
  #context;
  #pitch = 0;
  #size = 0;
  #colours = null;
  #hatch = null;

  begin(context, pitch, gap) {
    this.#context = context;
    this.#pitch = pitch;
    this.#size = pitch - gap;
    this.#colours = palette();
    this.#hatch = this.#makeHatch();
  }

  get showsText() {
    return this.#pitch >= textPitchMin;
  }

  /** `text` is drawn where cells are large enough. */
  paint(x, y, step, status, isDim, text) {
    const context = this.#context;
    const size = this.#size;
    if (status === unknown || Number.isNaN(step)) {
      this.#fill(this.#colours.surface, x, y, size, size);
      this.#frame(this.#colours['line-strong'], x, y, size, 1);
    } else if (status === silent) {
      this.#fill(this.#colours['still-wash'], x, y, size, size);
      this.#fill(this.#hatch, x, y, size, size);
    } else {
      this.#fill(ramp[step], x, y, size, size);
      if (status === warning) {
        this.#markWarning(x, y, size);
      } else if (status === critical) {
        this.#markCritical(x, y, size);
      }
    }
    if (isDim) {
      context.globalAlpha = 0.86;
      this.#fill(this.#colours.surface, x, y, size, size);
      context.globalAlpha = 1;
    } else if (text && this.showsText) {
      this.#write(text, x, y, size, step, status);
    }
  }

  #fill(style, x, y, width, height) {
    this.#context.fillStyle = style;
    this.#context.fillRect(x, y, width, height);
  }

  #frame(style, x, y, size, thickness) {
    this.#fill(style, x, y, size, thickness);
    this.#fill(style, x, y + size - thickness, size, thickness);
    this.#fill(style, x, y + thickness, thickness, size - 2 * thickness);
    this.#fill(style, x + size - thickness, y + thickness, thickness, size - 2 * thickness);
  }

  #markWarning(x, y, size) {
    const colour = this.#colours['mark-warning'];
    this.#frame(colour, x, y, size, size >= 12 ? 2 : 1);
    if (size < 6) {
      // Too small for a colour within the frame: hollow, where a critical one is filled.
      this.#fill(this.#colours.surface, x + 1, y + 1, size - 2, size - 2);
    } else {
      this.#corner(colour, x + size, y, Math.max(3, Math.round(size * 0.36)));
    }
  }

  #markCritical(x, y, size) {
    const colour = this.#colours['mark-critical'];
    if (size < 8) {
      this.#fill(colour, x, y, size, size);
      return;
    }
    const thickness = size >= 14 ? 3 : 2;
    this.#frame(colour, x, y, size, thickness);
    if (size >= textPitchMin - 4) {
      this.#corner(colour, x + size, y, Math.round(size * 0.3));
      this.#corner(colour, x, y + size, -Math.round(size * 0.3));
      return;
    }
    const context = this.#context;
    context.strokeStyle = colour;
    context.lineWidth = size >= 14 ? 2.5 : 2;
    context.beginPath();
    context.moveTo(x + 2, y + 2);
    context.lineTo(x + size - 2, y + size - 2);
    context.moveTo(x + size - 2, y + 2);
    context.lineTo(x + 2, y + size - 2);
    context.stroke();
  }

  #corner(colour, x, y, length) {
    const context = this.#context;
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x - length, y);
    context.lineTo(x, y + length);
    context.fill();
  }

  #write(text, x, y, size, step, status) {
    const context = this.#context;
    const isPlain = status === silent || status === unknown;
    context.fillStyle = isBright(step) ? '#10181f' : '#ffffff';
    if (isPlain) {
      this.#fill(this.#colours.surface, x + 4, y + size / 2 - 9, size - 8, 18);
      context.fillStyle = this.#colours.ink;
    }
    context.font = `600 ${size >= 50 ? 12 : 11}px ${this.#colours.font}`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(text, x + size / 2, y + size / 2 + 1, size - 6);
  }

  #makeHatch() {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 4;
    const context = tile.getContext('2d');
    context.fillStyle = this.#colours.still;
    for (let at = 0; at < 4; at++) {
      context.fillRect(at, 3 - at, 1, 1);
    }
    return this.#context.createPattern(tile, 'repeat');
  }
}
