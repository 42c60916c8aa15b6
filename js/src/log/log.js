/**
 * The one model of a log that the page holds. Facts come in keyed, so receiving one twice changes nothing; everything
 * a view shows is derived from here. No DOM.
 *
 * @typedef {{id: string, name: string, kind: "agent"|"person", description: string, mission: string,
 *   colour: string, seq: number, model: string|null}} Agent
 * @typedef {{id: string, name: string, description: string, admin: string, seq: number}} Chat
 * @typedef {{seq: number, id: string, at: number, from: string|null, to: string, run: string|null,
 *   text: string|null, length: number, event: null}} Message
 * @typedef {{seq: number, event: string, agent: string|null, text: string, at: number}} Event
 * @typedef {{id: string, agent: string, beganSeq: number, beganAt: number, endedSeq: number|null,
 *   endedAt: number|null, reason: string|null, tokens: number, usd: number|null, steps: number}} Run
 * @typedef {{reset?: boolean, agents?: boolean, messages?: boolean, texts?: boolean, runs?: boolean,
 *   live?: boolean, reordered?: boolean, gone?: boolean}} Change
 */
import { bisector } from "d3-array";
import { shownName, sameLooking } from "../draw/format.js";

const bySeq = bisector((row) => row.seq);

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
    /** @type {Map<string, Agent>} */
    this.agents = new Map();
    /** @type {Map<string, Chat>} */
    this.chats = new Map();
    /** @type {Map<string, Map<string, {chat: string, agent: string, joined: number, left: number|null}>>} */
    this.memberships = new Map();
    /** @type {Message[]} */
    this.messages = [];
    /** @type {(Message|Event)[]} messages and events, by seq */
    this.lines = [];
    /** @type {Set<number>} */
    this.eventSeqs = new Set();
    /** @type {Map<string, Run>} */
    this.runs = new Map();
    /** @type {Map<string, Run[]>} */
    this.runsByAgent = new Map();
    this.service = null;
    /** @type {Map<string, {status: string, unread: number, paused: boolean}>} */
    this.doing = new Map();
    /** @type {string[]} */
    this.people = [];
    this.lastSeq = 0;
    this.labels = null;
    this.rewrites += 1;
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
   * @param {object} facts
   * @param {{reset?: boolean, live?: object|null}} [more]
   */
  apply(facts, { reset = false, live = null } = {}) {
    /** @type {Change} */
    const change = {};
    if (reset) {
      this.clear();
      change.reset = true;
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

  #takeMemberships(facts, change) {
    const last = this.messages.at(-1)?.seq ?? 0;
    for (const [chat, agent, joined, left] of facts.memberships ?? []) {
      if (!this.memberships.has(chat)) this.memberships.set(chat, new Map());
      const key = `${joined}\n${agent}`;
      const of = this.memberships.get(chat);
      const before = of.get(key);
      if (before && before.left === left) continue;
      of.set(key, { chat, agent, joined, left });
      this.#seen(Math.max(joined, left ?? 0));
      change.agents = true;
      if ((before ? left ?? 0 : joined) < last) change.reordered = true;
    }
  }

  #takeLines(facts, change) {
    const fresh = [];
    for (const [seq, id, at, from, to, run, text, length] of facts.messages ?? []) {
      const known = this.message(seq);
      if (known) {
        if (this.#longer(known, text)) change.texts = true;
      } else fresh.push({ seq, id, at, from, to, run, text, length, event: null });
    }
    for (const [seq, event, agent, text, at] of facts.events ?? []) {
      if (!this.eventSeqs.has(seq)) fresh.push({ seq, event, agent, text, at });
    }
    if (fresh.length === 0) return;
    fresh.sort((a, b) => a.seq - b.seq);
    const rows = fresh.filter((row, i) => i === 0 || row.seq !== fresh[i - 1].seq);
    if (rows[0].seq < (this.lines.at(-1)?.seq ?? 0)) change.reordered = true;
    for (const row of rows) {
      this.lines.push(row);
      if (row.event) this.eventSeqs.add(row.seq);
      else this.messages.push(/** @type {Message} */ (row));
      this.#seen(row.seq);
    }
    if (change.reordered) {
      this.lines.sort((a, b) => a.seq - b.seq);
      this.messages.sort((a, b) => a.seq - b.seq);
    }
    change.messages = true;
  }

  #takeRuns(facts, change) {
    for (const [id, agent, beganSeq, beganAt, endedSeq, endedAt, reason, tokens, usd, steps] of facts.runs ?? []) {
      const row = { id, agent, beganSeq, beganAt, endedSeq, endedAt, reason, tokens, usd, steps };
      const known = this.runs.get(id);
      if (known) Object.assign(known, row);
      else {
        this.runs.set(id, row);
        if (!this.runsByAgent.has(agent)) this.runsByAgent.set(agent, []);
        this.runsByAgent.get(agent).push(row);
      }
      this.#seen(Math.max(beganSeq, endedSeq ?? 0));
      change.runs = true;
    }
  }

  #takeLive(live, change) {
    if (live.service) this.service = live.service;
    for (const [id, state] of Object.entries(live.agents ?? {})) this.doing.set(id, state);
    if (live.people) this.people = live.people;
    change.live = true;
  }

  /** Texts by seq, as an answer to a question for them. @param {[number, string][]} texts */
  setTexts(texts) {
    let any = false;
    for (const [seq, text] of texts) {
      const known = this.message(seq);
      if (known && this.#longer(known, text)) any = true;
    }
    if (any) this.tell({ texts: true });
  }

  #longer(message, text) {
    if (text === null || text === undefined || (message.text ?? "").length > text.length) return false;
    const better = message.text !== text;
    message.text = text;
    return better;
  }

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
    if (asOf === Infinity) return [...this.agents.values()];
    // An edited agent carries the seq of its newest version: whoever ran or wrote by then was there as well.
    const seen = new Set();
    for (const message of this.messages.slice(0, countUpTo(this.messages, asOf))) seen.add(message.from).add(message.to);
    return [...this.agents.values()].filter((agent) => agent.seq <= asOf || seen.has(agent.id));
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
        return [id, times.get(sameLooking(name)) > 1 && shown !== id ? `${shown} (${id})` : shown];
      }),
    );
  }

  /** @param {string|null} id */
  colour(id) {
    return this.agents.get(id)?.colour ?? "#7f7f7f";
  }
}
