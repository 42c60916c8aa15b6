/** What an agent is doing, as a shape as well as a colour. Each icon is drawn on 16 × 16. */
import { h, s } from "./dom.js";

/** @typedef {{tone: string, says: string, path: string}} Shape */

/** @type {Record<string, Shape>} */
const STATUSES = {
  thinking: { tone: "busy", says: "thinking", path: "M2.5 8a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0M6.4 8a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0M10.3 8a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0" },
  acting: { tone: "busy", says: "acting", path: "M9 1.5L3.5 9H7.3L6.5 14.5L12.5 6.5H8.5Z" },
  rate: { tone: "wait", says: "waiting for the rate limit", path: "M4 2h8v2L9 8l3 4v2H4v-2l3-4L4 4Z" },
  waiting: { tone: "wait", says: "waiting", path: "M2 4h12v8.5H2ZM2 4l6 4.8L14 4l-.8-.6H2.8Z M3 5.6V11.5H13V5.6L8 9.6Z" },
  paused: { tone: "off", says: "paused", path: "M4 3h3v10H4ZM9 3h3v10H9Z" },
  failed: { tone: "bad", says: "failed", path: "M3.2 4.6L4.6 3.2L8 6.6L11.4 3.2L12.8 4.6L9.4 8L12.8 11.4L11.4 12.8L8 9.4L4.6 12.8L3.2 11.4L6.6 8Z" },
  person: { tone: "off", says: "person", path: "M8 2a3 3 0 1 1 0 6a3 3 0 1 1 0-6M2.5 14c0-3.4 2.4-5 5.5-5s5.5 1.6 5.5 5Z" },
  idle: { tone: "idle", says: "idle", path: "M8 4.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 1 0 0-6.8M8 6.1a1.9 1.9 0 1 1 0 3.8a1.9 1.9 0 1 1 0-3.8" },
};

/** Which of the shapes a status has. @param {string} status @param {boolean} [paused] */
export function statusKey(status, paused = false) {
  if (status in STATUSES) return paused && status === "idle" ? "paused" : status;
  if (/rate limit/.test(status)) return "rate";
  if (/fail/.test(status)) return "failed";
  if (/paus/.test(status) || paused) return "paused";
  if (/wait/.test(status)) return "waiting";
  return "idle";
}

/** Colour class of a status. @param {string} key */
export function tone(key) {
  return STATUSES[key].tone;
}

/** The shape of a status, to be drawn in an SVG of 16 × 16. @param {string} key */
export function statusPath(key) {
  return STATUSES[key].path;
}

/** Every shape with its word, for a legend. @returns {[string, string][]} */
export function allStatuses() {
  return Object.entries(STATUSES).map(([key, { says }]) => [key, says]);
}

/** An icon of its own. @param {string} key */
export function statusIcon(key) {
  return icon(STATUSES[key].path);
}

/** @param {string} path on 16 × 16 */
export function icon(path) {
  return s("svg.icnb-icon", { viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: path, "fill-rule": "evenodd" }));
}

/** A status with shape, colour and word. @param {string} status @param {boolean} paused */
export function statusBadge(status, paused) {
  const key = statusKey(status, paused);
  const word = key === "rate" ? "rate limit" : status;
  return h(`span.icnb-status.icnb-${STATUSES[key].tone}`, { "data-status": status, title: status }, statusIcon(key), word);
}

export const SHAPES = {
  play: "M4 2.5L13 8L4 13.5Z",
  pause: "M4 3h3v10H4ZM9 3h3v10H9Z",
  step: "M3 2.5L10 8L3 13.5ZM11 3h2.2v10H11Z",
  stop: "M3.5 3.5h9v9h-9Z",
  retry: "M8 2.5a5.5 5.5 0 1 1-5.3 4L4.4 7A3.8 3.8 0 1 0 8 4.2V6.6L3.8 3.4L8 .4Z",
};
