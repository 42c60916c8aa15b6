/** Drawing on a canvas: a clean sheet, bars, hatching, fitted writing, and the colours of the theme. */
import { cut } from "./format.js";

/**
 * @typedef {CanvasRenderingContext2D} Pen
 * @typedef {{x: number, y: number, wide: number, bar: number}} Box bar: its height
 */

/** A clean canvas of a size in CSS pixels. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @returns {Pen} */
export function sheet(canvas, width, height) {
  const ratio = globalThis.devicePixelRatio || 1;
  const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== tall) {
    [canvas.width, canvas.height] = [wide, tall];
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = /** @type {Pen} */ (canvas.getContext("2d"));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

/** As much of a text as there is room for. @param {Pen} pen @param {string} text @param {number} width */
export function fitting(pen, text, width) {
  let shown = text;
  while (shown.length > 2 && pen.measureText(shown).width > width) shown = cut(shown, Math.max(1, Math.floor(shown.length * 0.9) - 1));
  return shown;
}

/** @param {Pen} pen @param {Box} box */
export function bars(pen, { x, y, wide, bar }) {
  if (wide < 5) {
    pen.fillRect(x, y, wide, bar);
    return;
  }
  pen.beginPath();
  pen.roundRect(x, y, wide - 0.5, bar, 3);
  pen.fill();
}

/** @param {Pen} pen @param {Box} box @param {string} colour */
export function hatch(pen, { x, y, wide, bar }, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, wide, bar);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 1.2;
  for (let from = x - bar; from < x + wide; from += 5) {
    pen.beginPath();
    pen.moveTo(from, y + bar);
    pen.lineTo(from + bar, y);
    pen.stroke();
  }
  pen.strokeRect(x + 0.5, y + 0.5, wide - 1, bar - 1);
  pen.restore();
}

/** The theme's colours, as the canvas needs them. @param {Element} element */
export function tones(element) {
  const style = getComputedStyle(element);
  const ink = style.color;
  const bright = (ink.match(/[\d.]+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
  const of = (/** @type {string} */ name, /** @type {string} */ otherwise) => style.getPropertyValue(name).trim() || otherwise;
  return { ink, dark: bright > 380, font: style.fontFamily, ground: of("--ground", "#fff"), stripe: of("--stripe", "#8881"), quiet: of("--quiet", "#666"), bad: of("--bad", "#c62828"), brand: of("--brand", "#1976d2") };
}
