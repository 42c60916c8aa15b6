/**
 * The one model of a log that the page holds. Facts come in keyed, so receiving one twice changes nothing; everything
 * a view shows is derived from here. No DOM.
 */
import { bisector } from "d3-array";
import { beforeOf } from "./before.js";
import { shownName, sameLooking } from "../draw/format.js";
import { happeningOf, membershipOf, messageOf, runOf, textOf } from "../wire/facts.js";

/**
 * @typedef {import("../wire/facts.js").Facts} Facts
 * @typedef {import("../wire/facts.js").Live} Live
 * @typedef {import("../wire/facts.js").Message} Message
 * @typedef {import("../wire/facts.js").Change} Change
 */

const bySeq = bisector((/** @type {{seq: number}} */ row) => row.seq);

/**
 * Return the first index whose seq is above `seq`: how many of the rows lie at or before it.
 * @param {{seq: number}[]} rows sorted by seq
 * @param {number} seq
 */
export function countUpTo(rows, seq) {
  return seq >= (rows.at(-1)?.seq ?? -Infinity) ? rows.length : bySeq.right(rows, seq);
}

export class Log {
  constructor() {
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    /** How often the past changed: whoever counts incrementally counts anew when it grows. */
    this.rewrites = 0;
    this.clear();
  }

  clear() {
    /** @type {Map<string, import("../wire/facts.js").Agent>} */
    this.agents = new Map();
    /** @type {Map<string, import("../wire/facts.js").Chat>} */
    this.chats = new Map();
    /** @type {Map<string, Map<string, import("../wire/facts.js").Membership>>} by chat */
    this.memberships = new Map();
    /** @type {Message[]} */
    this.messages = [];
    /** @type {import("../wire/facts.js").Line[]} messages and events, by seq */
    this.lines = [];
    /** @type {import("../wire/facts.js").Happening[]} by seq */
    this.events = [];
    /** @type {Set<number>} */
    this.eventSeqs = new Set();
    /** @type {import("./before.js").Before|null} sums of what lies before the first of them; null if nothing does */
    this.before = null;
    /** @type {Map<string, import("../wire/facts.js").Run>} */
    this.runs = new Map();
    /** @type {Map<string, import("../wire/facts.js").Run[]>} */
    this.runsByAgent = new Map();
    /** @type {import("../wire/facts.js").Service|null} */
    this.service = null;
    /** @type {Map<string, import("../wire/facts.js").Doing>} */
    this.doing = new Map();
    /** @type {string[]} */
    this.people = [];
    /** @type {number} */
    this.lastSeq = 0;
    /** @type {Map<string, string>|null} */
    this.labels = null;
    this.rewrites += 1;
  }

  /** How many messages there are, also those that are known as a sum only. */
  get total() {
    return (this.before?.messages ?? 0) + this.messages.length;
  }

  /** @param {(change: Change) => void} told @returns {() => void} */
  listen(told) {
    this.listeners.add(told);
    return () => this.listeners.delete(told);
  }

  /** @param {Change} change */
  tell(change) {
    for (const told of [...this.listeners]) told(change);
  }

  /**
   * Take facts in, and what a running service says of itself; then tell every listener what changed.
   * @param {Facts} facts
   * @param {{reset?: boolean, live?: Live|null, before?: import("../wire/facts.js").BeforeRow|null}} [more] before: what lies
   *   before these facts, if they are the oldest ones
   */
  apply(facts, { reset = false, live = null, before = undefined } = {}) {
    /** @type {Change} */
    const change = {};
    if (reset) {
      this.clear();
      change.reset = true;
    }
    if (before !== undefined) {
      this.before = before && beforeOf(before);
      change.reordered = change.messages = change.runs = true;
    }
    this.#takeAgents(facts, change);
    this.#takeMemberships(facts, change);
    this.#takeLines(facts, change);
    this.#takeRuns(facts, change);
    if (live) this.#takeLive(live, change);
    if (change.reordered) this.rewrites += 1;
    this.tell(change);
    return change;
  }

  /** @param {Facts} facts @param {Change} change */
  #takeAgents(facts, change) {
    for (const row of facts.agents ?? []) {
      this.agents.set(row.id, row);
      this.#seen(row.seq);
      change.agents = true;
    }
    for (const row of facts.chats ?? []) {
      this.chats.set(row.id, row);
      this.#seen(row.seq);
      change.agents = true;
    }
    if (change.agents) this.labels = null;
  }

  /** @param {Facts} facts @param {Change} change */
  #takeMemberships(facts, change) {
    const last = this.messages.at(-1)?.seq ?? 0;
    for (const membership of (facts.memberships ?? []).map(membershipOf)) {
      const { chat, agent, joined, left } = membership;
      const key = `${joined}\n${agent}`;
      const of = this.memberships.get(chat) ?? new Map();
      this.memberships.set(chat, of);
      const before = of.get(key);
      if (before && before.left === left) continue;
      of.set(key, membership);
      this.#seen(Math.max(joined, left ?? 0));
      change.agents = true;
      if ((before ? left ?? 0 : joined) < last) change.reordered = true;
    }
  }

  /** @param {Facts} facts @param {Change} change */
  #takeLines(facts, change) {
    /** @type {import("../wire/facts.js").Line[]} */
    const fresh = [];
    for (const message of (facts.messages ?? []).map(messageOf)) {
      const known = this.message(message.seq);
      if (!known) fresh.push(message);
      else if (this.#longer(known, message.text)) change.texts = true;
    }
    for (const happening of (facts.events ?? []).map(happeningOf)) {
      if (!this.eventSeqs.has(happening.seq)) fresh.push(happening);
    }
    if (fresh.length === 0) return;
    fresh.sort((a, b) => a.seq - b.seq);
    const rows = fresh.filter((row, i) => i === 0 || row.seq !== fresh[i - 1].seq);
    if (rows[0].seq < (this.lines.at(-1)?.seq ?? 0)) change.reordered = true;
    for (const row of rows) {
      this.lines.push(row);
      if (row.event === null) this.messages.push(row);
      else {
        this.events.push(row);
        this.eventSeqs.add(row.seq);
      }
      this.#seen(row.seq);
    }
    if (change.reordered) {
      this.lines.sort((a, b) => a.seq - b.seq);
      this.messages.sort((a, b) => a.seq - b.seq);
      this.events.sort((a, b) => a.seq - b.seq);
    }
    change.messages = true;
  }

  /** @param {Facts} facts @param {Change} change */
  #takeRuns(facts, change) {
    const last = [...this.runs.values()].at(-1)?.beganSeq ?? 0;
    let late = false;
    for (const run of (facts.runs ?? []).map(runOf)) {
      const known = this.runs.get(run.id);
      if (known) Object.assign(known, run);
      else {
        late ||= run.beganSeq < last;
        this.runs.set(run.id, run);
        const of = this.runsByAgent.get(run.agent);
        if (of) of.push(run);
        else this.runsByAgent.set(run.agent, [run]);
      }
      this.#seen(Math.max(run.beganSeq, run.endedSeq ?? 0));
      change.runs = true;
    }
    if (!late) return;
    this.runs = new Map([...this.runs].sort(([, a], [, b]) => a.beganSeq - b.beganSeq));
    for (const of of this.runsByAgent.values()) of.sort((a, b) => a.beganSeq - b.beganSeq);
  }

  /** @param {Live} live @param {Change} change */
  #takeLive(live, change) {
    if (live.service) this.service = live.service;
    for (const [id, state] of Object.entries(live.agents ?? {})) this.doing.set(id, state);
    if (live.people) this.people = live.people;
    change.live = true;
  }

  /** Texts by seq, as an answer to a question for them. @param {import("../wire/facts.js").TextRow[]} texts */
  setTexts(texts) {
    let any = false;
    for (const { seq, text } of texts.map(textOf)) {
      const known = this.message(seq);
      if (known && this.#longer(known, text)) any = true;
    }
    if (any) this.tell({ texts: true });
  }

  /** @param {Message} message @param {string|null|undefined} text */
  #longer(message, text) {
    if (text === null || text === undefined || (message.text ?? "").length > text.length) return false;
    const better = message.text !== text;
    message.text = text;
    return better;
  }

  /** @param {number} seq */
  #seen(seq) {
    if (seq > this.lastSeq) this.lastSeq = seq;
  }

  /** @param {number} seq @returns {Message|undefined} */
  message(seq) {
    const row = this.messages[countUpTo(this.messages, seq) - 1];
    return row?.seq === seq ? row : undefined;
  }

  /** Who hears a message: members at that moment, but for its sender. @param {Message} message @returns {string[]} */
  receivers(message) {
    if (!this.chats.has(message.to)) return [message.to];
    /** @type {string[]} */
    const found = [];
    for (const { agent, joined, left } of this.memberships.get(message.to)?.values() ?? []) {
      if (agent !== message.from && joined < message.seq && (left === null || left > message.seq)) found.push(agent);
    }
    return found;
  }

  /** Members of a chat as of a seq. @param {string} chat @param {number} asOf */
  members(chat, asOf = Infinity) {
    return [...(this.memberships.get(chat)?.values() ?? [])]
      .filter(({ joined, left }) => joined <= asOf && (left === null || left > asOf))
      .map(({ agent }) => agent);
  }

  /** Agents and people there were as of a seq, in the order of addition. @param {number} asOf */
  agentsAt(asOf = Infinity) {
    return [...this.agents.values()].filter((agent) => agent.seq <= asOf);
  }

  /** What is written for an id: the name; with the id where two names look alike. @param {string|null} id */
  label(id) {
    if (id === null) return "the program";
    this.labels ??= this.#allLabels();
    return this.labels.get(id) ?? shownName(id, id);
  }

  #allLabels() {
    const all = [...this.agents.values(), ...this.chats.values()];
    const times = new Map();
    for (const { name } of all) times.set(sameLooking(name), (times.get(sameLooking(name)) ?? 0) + 1);
    return new Map(
      all.map(({ id, name }) => {
        const shown = shownName(name, id);
        return [id, (times.get(sameLooking(name)) ?? 0) > 1 && shown !== id ? `${shown} (${id})` : shown];
      }),
    );
  }

  /** @param {string|null} id */
  colour(id) {
    return this.agents.get(id ?? "")?.colour ?? "#7f7f7f";
  }
}
