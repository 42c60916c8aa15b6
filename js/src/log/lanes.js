/** The arithmetic of the timeline: which stretch of time is shown, its ticks, and what to draw where. No DOM. */
import { bisector } from "d3-array";
import { timeTicks } from "d3-time";
import { spots } from "./before.js";
import { countUpTo } from "./log.js";

const SHORTEST = 50;
const byTime = bisector((/** @type {{at: number}} */ message) => message.at);

/** The whole stretch of time a log covers. @param {import("./log.js").Log} log @returns {[number, number]} */
export function stretch(log) {
  let low = log.before?.when?.from ?? log.messages[0]?.at ?? Infinity;
  let high = log.messages.at(-1)?.at ?? -Infinity;
  for (const run of log.runs.values()) {
    if (run.beganAt < low) low = run.beganAt;
    if ((run.endedAt ?? run.beganAt) > high) high = run.endedAt ?? run.beganAt;
  }
  if (low > high) return [0, 1000];
  const spare = Math.max((high - low) * 0.01, 5);
  return [low - spare, high + spare];
}

/** What is shown of it: all, or a stretch of some length that follows the end or stands still. */
export class Glass {
  constructor() {
    /** @type {number|null} all of it if null */
    this.length = null;
    /** @type {number|null} it follows the end if null */
    this.end = null;
  }

  /** @param {[number, number]} whole @returns {[number, number]} */
  shown([low, high]) {
    if (this.length === null || this.length >= high - low) return [low, high];
    const end = this.end === null ? high : Math.min(Math.max(this.end, low + this.length), high);
    return [end - this.length, end];
  }

  all() {
    this.length = this.end = null;
  }

  /** Zoom about a place, a share of the width. @param {number} factor @param {[number, number]} whole */
  zoom(factor, whole, about = 1) {
    const [low, high] = this.shown(whole);
    const length = Math.max(SHORTEST, (high - low) * factor);
    if (length >= whole[1] - whole[0]) {
      this.all();
      return;
    }
    const at = low + (high - low) * about;
    const end = at + length * (1 - about);
    this.length = length;
    this.end = end >= whole[1] - 1 ? null : end;
  }

  /** @param {number} by milliseconds @param {[number, number]} whole */
  pan(by, whole) {
    if (this.length === null) return;
    const end = this.shown(whole)[1] + by;
    this.end = end >= whole[1] ? null : Math.max(end, whole[0] + this.length);
  }
}

/**
 * Round times for an axis, round on the clock of whoever looks, and the time between two of them.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function ticks(low, high, most) {
  let found = timeTicks(new Date(low), new Date(high), most);
  // The library takes the number as a hint; what is written at them needs its room.
  for (let wanted = most * 0.75; found.length > most; wanted *= 0.75) found = timeTicks(new Date(low), new Date(high), wanted);
  const times = found.map(Number);
  return { step: times.length > 1 ? times[1] - times[0] : high - low, found: times };
}

/**
 * Marks for messages, thinned out: of those that fall on the same few pixels of a lane, one is drawn for all.
 * @param {import("./log.js").Log} log
 * @param {{lanes: Map<string, number>, low: number, high: number, width: number, asOf: number, grain?: number}} look
 * @returns {{x: number, lane: number, count: number}[]}
 */
export function marks(log, { lanes, low, high, width, asOf, grain = 2 }) {
  const columns = Math.ceil(width / grain) + 1;
  const counts = new Uint32Array(columns * Math.max(lanes.size, 1));
  const end = countUpTo(log.messages, asOf);
  const add = (/** @type {string|null} */ from, /** @type {number} */ at, /** @type {number} */ count) => {
    const lane = at < low || at > high || from === null ? undefined : lanes.get(from);
    if (lane !== undefined) counts[lane * columns + Math.floor((((at - low) / (high - low)) * width) / grain)] += count;
  };
  for (let i = 0; i < end; i++) add(log.messages[i].from, log.messages[i].at, 1);
  for (const { id, from, to, count } of spots(log.before, "said")) add(id, (from + to) / 2, count);
  /** @type {{x: number, lane: number, count: number}[]} */
  const found = [];
  counts.forEach((count, place) => {
    if (count) found.push({ lane: Math.floor(place / columns), x: ((place % columns) + 0.5) * grain, count });
  });
  return found;
}

/**
 * The message nearest to a moment among those of one sender.
 * @param {import("./log.js").Log} log
 * @param {{at: number, within: number, from: string, asOf: number}} place
 */
export function nearest(log, { at, within, from, asOf }) {
  let best;
  const end = countUpTo(log.messages, asOf);
  for (let i = byTime.left(log.messages, at - within); i < end && log.messages[i].at <= at + within; i++) {
    const message = log.messages[i];
    if (message.from === from && (!best || Math.abs(message.at - at) < Math.abs(best.at - at))) best = message;
  }
  return best;
}
