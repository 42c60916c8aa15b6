/** Draws the timeline on its canvases: names, runs as bars, messages as marks, the axis. */
import { spots } from "../log/before.js";
import { marks, ticks } from "../log/lanes.js";
import { intervenes } from "../log/rows.js";
import { bars, fitting, hatch } from "./canvas.js";
import { shownOn } from "./colours.js";
import { tickLabel } from "./format.js";

/**
 * @typedef {import("./canvas.js").Pen} Pen
 * @typedef {object} Look what is shown, and where
 * @property {import("../log/log.js").Log} log
 * @property {number} asOf
 * @property {import("../wire/facts.js").Agent[]} agents from above
 * @property {Map<string, number>} lanes the place of each by its id
 * @property {number} lane the height of one
 * @property {number} left where time begins, in pixels
 * @property {number} width of all time that is shown
 * @property {number} outer width with the names
 * @property {[number, number]} whole all there is, in milliseconds
 * @property {number} low
 * @property {number} high
 * @property {ReturnType<typeof import("./canvas.js").tones>} tone
 */

/** @param {Look} look @param {number} at */
export function xOf({ left, low, high, width }, at) {
  return left + ((at - low) / (high - low)) * width;
}

/** The moment at a place. @param {Look} look @param {number} x */
export function timeAt({ left, low, high, width }, x) {
  return low + ((x - left) * (high - low)) / width;
}

/** @param {Look} look @param {number} place */
function colourOf({ agents, tone }, place) {
  return shownOn(agents[place].colour, tone.dark);
}

/** The end of what is known at the shown moment. @param {Look} look */
function asOfTime({ log, asOf, whole, low }) {
  return asOf === Infinity ? whole[1] : (log.message(asOf)?.at ?? low);
}

/** @param {Pen} pen @param {Look} look */
export function drawNames(pen, look) {
  const { log, agents, lane, left, outer, tone } = look;
  pen.font = `${lane < 18 ? 10 : 12}px ${tone.font}`;
  pen.textBaseline = "middle";
  agents.forEach(({ id }, place) => {
    const y = place * lane;
    if (place % 2) {
      pen.fillStyle = tone.stripe;
      pen.fillRect(0, y, outer, lane);
    }
    pen.fillStyle = colourOf(look, place);
    pen.fillRect(4, y + lane / 2 - 4, 8, 8);
    pen.fillStyle = tone.ink;
    pen.fillText(fitting(pen, log.label(id), left - 24), 18, y + lane / 2 + 0.5);
  });
}

/** Runs too short to be told apart are drawn once for all that share their pixels. @param {Pen} pen @param {Look} look */
export function drawRuns(pen, look) {
  const { log, asOf, agents, lanes, lane, left, width, low, high, tone } = look;
  const bar = Math.max(5, lane - 12);
  const now = asOfTime(look);
  const covered = agents.map(() => -1);
  for (const { id, from, to } of spots(log.before, "ran")) {
    const place = lanes.get(id);
    if (place === undefined || to < low || from > high) continue;
    const [x, end] = [Math.max(left, xOf(look, from)), Math.min(left + width, xOf(look, to))];
    pen.globalAlpha = 0.24;
    pen.fillStyle = colourOf(look, place);
    bars(pen, { x, y: place * lane + (lane - bar) / 2, wide: Math.max(2, end - x), bar });
    pen.globalAlpha = 1;
  }
  for (const run of log.runs.values()) {
    const place = lanes.get(run.agent);
    if (place === undefined || run.beganSeq > asOf || run.beganAt > high) continue;
    const open = run.endedAt === null || run.endedSeq === null || run.endedSeq > asOf;
    const until = open ? Math.min(high, now) : (run.endedAt ?? now);
    const failed = !open && run.reason === "failed";
    const x = Math.max(left, xOf(look, run.beganAt));
    const end = Math.min(left + width, Math.max(xOf(look, until), x + 2));
    if (until < low || (end <= covered[place] && !failed)) continue;
    const from = Math.max(x, covered[place]);
    covered[place] = Math.max(covered[place], Math.ceil(end));
    const box = { x: failed ? x : from, y: place * lane + (lane - bar) / 2, wide: Math.max(2, end - from), bar };
    pen.globalAlpha = failed ? 0.2 : 0.42;
    pen.fillStyle = colourOf(look, place);
    bars(pen, box);
    pen.globalAlpha = 1;
    if (failed) hatch(pen, box, tone.bad);
  }
}

/** @param {Pen} pen @param {Look} look */
export function drawMessages(pen, look) {
  const all = marks(look.log, look);
  const dots = all.length < 700;
  for (const [i, { x, lane, count }] of all.entries()) {
    const close = [all[i - 1], all[i + 1]].some((other) => other?.lane === lane && Math.abs(other.x - x) < 7);
    pen.fillStyle = colourOf(look, lane);
    const middle = lane * look.lane + look.lane / 2;
    if (!dots || close) {
      const tall = Math.min(look.lane - 4, 4 + Math.log2(count + 1) * 3);
      pen.fillRect(look.left + x - 1, middle - tall / 2, 2, tall);
      continue;
    }
    dot(pen, look.left + x, middle, Math.min(look.lane / 2 - 2, 3 + Math.log2(count) * 0.8));
    pen.lineWidth = 1.2;
    pen.strokeStyle = look.tone.ground;
    pen.stroke();
  }
}

/** @param {Pen} pen @param {number} x @param {number} y @param {number} size */
function dot(pen, x, y, size) {
  pen.beginPath();
  pen.arc(x, y, size, 0, 2 * Math.PI);
  pen.fill();
}

/** @param {Pen} pen @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

/** Where somebody intervened: a notch in the lane of whom it is about, or across all of them. @param {Pen} pen @param {Look} look @param {number} height */
export function drawEvents(pen, look, height) {
  const { log, asOf, lanes, lane, low, high, tone } = look;
  pen.strokeStyle = pen.fillStyle = tone.brand;
  pen.lineWidth = 1;
  for (const event of log.events) {
    if (event.seq > asOf || event.at < low || event.at > high || !intervenes(event)) continue;
    const x = Math.round(xOf(look, event.at)) + 0.5;
    const place = lanes.get(event.agent ?? "");
    if (place !== undefined) {
      pen.fillRect(x - 1.5, place * lane + 1, 3, lane - 2);
    } else if (event.agent === null) {
      pen.setLineDash([2, 3]);
      line(pen, x, 0, x, height);
      pen.setLineDash([]);
    }
  }
}

/** A line at the moment that is shown, unless that is now. @param {Pen} pen @param {Look} look @param {number} height */
export function drawCursor(pen, look, height) {
  if (look.asOf === Infinity) return;
  const x = Math.round(xOf(look, asOfTime(look))) + 0.5;
  pen.strokeStyle = look.tone.brand;
  pen.lineWidth = 1.5;
  line(pen, x, 0, x, height);
}

/** @param {Pen} pen @param {Look} look */
export function drawAxis(pen, look) {
  const { log, low, high, left, width, outer, tone } = look;
  pen.font = `10.5px ${tone.font}`;
  pen.textBaseline = "middle";
  pen.textAlign = "center";
  pen.fillStyle = tone.quiet;
  if (log.messages.length + log.runs.size === 0) return;
  const { step, found } = ticks(low, high, Math.max(2, width / 90));
  for (const at of found) {
    const x = xOf(look, at);
    pen.fillRect(Math.round(x), 0, 1, 4);
    if (x > left + 26 && x < outer - 32) pen.fillText(tickLabel(at, step), x, 12);
  }
}

/**
 * Lines from a message to those who heard it.
 * @param {Pen} pen @param {Look} look
 * @param {import("../wire/facts.js").Message} message
 */
export function drawHeard(pen, look, message) {
  const x = xOf(look, message.at);
  const from = middleOf(look, message.from);
  pen.strokeStyle = pen.fillStyle = look.tone.ink;
  pen.lineWidth = 1;
  for (const id of look.log.receivers(message).filter((each) => look.lanes.has(each))) {
    const to = middleOf(look, id);
    line(pen, x, from, x, to);
    dot(pen, x, to, 3);
  }
}

/** The middle of somebody's lane. @param {Look} look @param {string|null} id */
export function middleOf({ lanes, lane }, id) {
  return ((lanes.get(id ?? "") ?? 0) + 0.5) * lane;
}
