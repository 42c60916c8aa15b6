/** Which rows of a log a transcript shows, and which of those are on the page. No DOM. */
import { countUpTo } from "./log.js";

/** At most this many rows are in the page at once. */
export const WINDOW = 300;
/** So many while the end is followed: all others would be gone before anybody could read them. */
export const FOLLOWED = 60;
/** So many come in when somebody scrolls to an end of the window. */
export const CHUNK = 100;

/** What somebody did from outside while agents talked. */
const INTERVENTIONS = new Set(["agent_changed", "options_changed", "agent_paused", "agent_resumed", "agent_limited", "released"]);

/** @param {import("../wire/facts.js").Happening} happening */
export function intervenes({ event }) {
  return INTERVENTIONS.has(event);
}

/**
 * @typedef {{agent?: string, chat?: string, person?: string, search?: string, found?: Set<number>|null}} Filter
 *   agent: only what it sent or received; chat: only that chat, or the direct talk with that id; person: only what
 *   was said to that person; search: a text, found: the seqs that hold it as far as the whole log was searched
 */

/**
 * Whether a row passes a filter.
 * @param {import("./log.js").Log} log
 * @param {import("../wire/facts.js").Line} line
 * @param {Filter} filter
 */
export function passes(log, line, filter) {
  if (line.event !== null) {
    if (filter.search || filter.chat || filter.person) return false;
    return !filter.agent || line.agent === filter.agent;
  }
  if (filter.chat && line.to !== filter.chat) return false;
  if (filter.agent && !touches(log, line, filter.agent)) return false;
  if (filter.person && (line.from === filter.person || !touches(log, line, filter.person))) return false;
  if (!filter.search) return true;
  if (filter.found?.has(line.seq)) return true;
  return (line.text ?? "").toLowerCase().includes(filter.search.toLowerCase());
}

/** @param {import("./log.js").Log} log @param {import("../wire/facts.js").Message} message @param {string} id */
function touches(log, message, id) {
  return message.from === id || message.to === id || (log.chats.has(message.to) && log.receivers(message).includes(id));
}

/** The rows that pass a filter, kept up to date as the log grows. */
export class Rows {
  /** @param {import("./log.js").Log} log */
  constructor(log) {
    this.log = log;
    /** @type {Filter} */
    this.filter = {};
    /** @type {import("../wire/facts.js").Line[]} */
    this.all = [];
    this.messages = 0;
    /** How many lines of the log were looked at. */
    this.read = 0;
    this.rewrites = log.rewrites;
    this.grow();
  }

  /** @param {Filter} filter */
  refilter(filter) {
    this.filter = filter;
    this.all = [];
    this.messages = this.read = 0;
    this.rewrites = this.log.rewrites;
    this.grow();
  }

  /** Take in what is new; true if the past changed and all was read anew. @returns {boolean} */
  grow() {
    if (this.rewrites !== this.log.rewrites) {
      this.refilter(this.filter);
      return true;
    }
    const { lines } = this.log;
    for (; this.read < lines.length; this.read++) {
      const line = lines[this.read];
      if (!passes(this.log, line, this.filter)) continue;
      this.all.push(line);
      if (line.event === null) this.messages += 1;
    }
    return false;
  }

  /** How many there are as of a seq. @param {number} asOf */
  total(asOf = Infinity) {
    return countUpTo(this.all, asOf);
  }
}

/** @typedef {{start: number, end: number}} Span rows [start, end) of those that pass */

/** The newest rows. @param {number} total @returns {Span} */
export function newest(total, most = FOLLOWED) {
  return { start: Math.max(0, total - most), end: total };
}

/** The span after scrolling to its upper end. @param {Span} span @returns {Span} */
export function older(span, chunk = CHUNK, most = WINDOW) {
  const start = Math.max(0, span.start - chunk);
  return { start, end: Math.min(span.end, start + most) };
}

/** The span after scrolling to its lower end. @param {Span} span @param {number} total @returns {Span} */
export function newer(span, total, chunk = CHUNK, most = WINDOW) {
  const end = Math.min(total, span.end + chunk);
  return { start: Math.max(span.start, end - most), end };
}
