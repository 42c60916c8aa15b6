/** How numbers, money, times, names and errors are written. No DOM. */

const LONGEST_NAME = 60;
/** Less than any day has: when the clocks go forward, one has 23 hours. */
const DAY = 82_800_000;
// Control and format characters, separators, combining marks, and the letters that are drawn as nothing.
// What could turn the line around it, or hide in it; the joiners stay, emoji and some scripts need them.
const TURNING = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const INVISIBLE = /[\p{C}\p{Z}\p{M}\u115f\u1160\u3164\uffa0\u2800]/gu;

/** @param {number} value */
export function number(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** A number in few characters: 950, 1.2k, 34k, 1.5M. @param {number} value */
export function short(value) {
  if (value < 1000) return String(Math.round(value));
  const [scaled, unit] = value < 999_500 ? [value / 1e3, "k"] : [value / 1e6, "M"];
  return `${scaled < 9.95 ? scaled.toFixed(1).replace(/\.0$/, "") : Math.round(scaled)}${unit}`;
}

/** Money; an unknown price is never 0. @param {number|null|undefined} usd @param {string} [unknown] */
export function money(usd, unknown = "price unknown") {
  if (usd === null || usd === undefined) return unknown;
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "<$0.0001";
  return `$${usd < 0.1 ? usd.toFixed(4) : usd.toFixed(2)}`;
}

/** What runs cost together: known prices are summed, unknown ones said. @param {{usd: number|null, steps: number}[]} runs */
export function moneyOf(runs) {
  const priced = runs.filter((run) => run.steps > 0 || run.usd !== null);
  const known = priced.flatMap(({ usd }) => (usd === null ? [] : [usd]));
  if (priced.length === 0) return "–";
  if (known.length === 0) return "price unknown";
  const sum = money(known.reduce((total, usd) => total + usd, 0));
  return known.length < priced.length ? `${sum} + unknown` : sum;
}

/** @param {number} at milliseconds since 1970 */
export function clock(at) {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
}

/** With hundredths of a second. @param {number} at milliseconds since 1970 */
export function clockOfParts(at) {
  return `${clock(at)}.${String(Math.floor((at % 1000) / 10)).padStart(2, "0")}`;
}

/** @param {number} at milliseconds since 1970 */
export function date(at) {
  const time = new Date(at);
  return [time.getFullYear(), time.getMonth() + 1, time.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
}

/** @param {number} at milliseconds since 1970 */
export function dateAndClock(at) {
  return `${date(at)} ${clock(at)}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

/** A tick of an axis, as exactly as the time between two of them asks. @param {number} at @param {number} step milliseconds */
export function tickLabel(at, step) {
  if (step < 1000) return clockOfParts(at);
  return step < DAY ? clock(at) : date(at);
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}

/** @param {number} n @param {string} one @param {string} [many] */
export function counted(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/**
 * A name fit to be shown: cut to a line, and the id where nothing of the name is visible.
 * @param {string|null|undefined} name
 * @param {string} id
 */
export function shownName(name, id) {
  const head = String(name ?? "").slice(0, 4000);
  if (head.replace(INVISIBLE, "") === "") return cut(id.slice(0, 4000).replace(INVISIBLE, "") || "?", LONGEST_NAME);
  const line = head.replace(TURNING, "").replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").replace(/(\p{M}{2})\p{M}+/gu, "$1").trim();
  return cut(line, LONGEST_NAME);
}

/** A key that names share which a reader could take for each other. @param {string|null|undefined} name */
export function sameLooking(name) {
  return String(name ?? "").slice(0, 4000).normalize("NFKC").replace(INVISIBLE, "").toLowerCase();
}

/** Cut a text at whole characters. @param {string} text @param {number} most */
export function cut(text, most) {
  if (text.length <= most) return text;
  const end = /[\ud800-\udbff]/.test(text[most - 1]) ? most - 1 : most;
  return `${text.slice(0, end).trimEnd()}…`;
}

/** What an error says. @param {unknown} error */
export function sentenceOf(error) {
  return error instanceof Error ? error.message : String(error);
}
