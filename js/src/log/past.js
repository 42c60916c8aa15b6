/** What each agent was doing as of a seq, from its runs and its mail. No DOM. */
import { countUpTo } from "./log.js";

/** @typedef {{status: string, unread: number, paused: boolean, runs: number, steps: number, tokens: number,
 *   bills: {usd: number|null, steps: number}[]}} AgentState what its runs cost, each or some together */

/**
 * The state of every agent: what a running service says of itself, or what its log says of a moment.
 * @param {import("./log.js").Log} log
 * @param {number} [asOf]
 * @returns {Map<string, AgentState>}
 */
export function agentStates(log, asOf = Infinity) {
  const live = asOf === Infinity;
  const unread = live && log.doing.size ? null : unreadAt(log, asOf);
  const states = new Map();
  for (const agent of log.agentsAt(asOf)) {
    const all = log.runsByAgent.get(agent.id) ?? [];
    const runs = live ? all : all.filter((run) => run.beganSeq <= asOf);
    const said = live ? log.doing.get(agent.id) : undefined;
    const mail = said?.unread ?? unread?.get(agent.id) ?? 0;
    const sums = log.before && log.before.seq <= asOf ? log.before.agents.get(agent.id) : undefined;
    const last = runs.at(-1) ?? (sums?.failed ? { endedSeq: 0, reason: "failed" } : undefined);
    const state = said ?? { status: statusOf(agent, last, mail, asOf), paused: false };
    states.set(agent.id, {
      status: state.status,
      unread: mail,
      paused: Boolean(state.paused),
      runs: runs.length + (sums?.runs ?? 0),
      steps: runs.reduce((sum, run) => sum + run.steps, sums?.steps ?? 0),
      tokens: runs.reduce((sum, run) => sum + run.tokens, sums?.tokens ?? 0),
      bills: [...runs, ...(sums?.bills ?? [])],
    });
  }
  return states;
}

/** @param {import("../wire/facts.js").Agent} agent @param {{endedSeq: number|null, reason: string|null}|undefined} last @param {number} mail @param {number} asOf */
function statusOf(agent, last, mail, asOf) {
  if (agent.kind === "person") return "person";
  if (last && (last.endedSeq === null || last.endedSeq > asOf)) return "thinking";
  if (mail > 0) return "waiting";
  return last?.reason === "failed" ? "failed" : "idle";
}

/**
 * How many messages each agent had not taken yet: those after its last run began. A person takes none; what they
 * have read is known to the page alone.
 * @param {import("./log.js").Log} log
 * @param {number} asOf
 */
export function unreadAt(log, asOf) {
  const taken = new Map();
  for (const run of log.runs.values()) {
    if (run.beganSeq <= asOf) taken.set(run.agent, Math.max(taken.get(run.agent) ?? 0, run.beganSeq));
  }
  const unread = new Map();
  const { seq = Infinity, upto = 0, waiting = [] } = log.before ?? {};
  for (const [id, until, count] of seq <= asOf ? waiting : []) {
    // What waited when the sums were made was taken by the first run that began after that.
    const waits = until === null ? (taken.get(id) ?? 0) <= upto : until > asOf;
    if (waits && log.agents.get(id)?.kind === "agent") unread.set(id, (unread.get(id) ?? 0) + count);
  }
  const end = countUpTo(log.messages, asOf);
  for (let i = 0; i < end; i++) {
    const message = log.messages[i];
    for (const id of log.receivers(message)) {
      if (log.agents.get(id)?.kind === "agent" && message.seq > (taken.get(id) ?? 0)) {
        unread.set(id, (unread.get(id) ?? 0) + 1);
      }
    }
  }
  return unread;
}

/** Counts the messages to a person that came after the last one they wrote or looked at. */
export class Inbox {
  /** @param {import("./log.js").Log} log */
  constructor(log) {
    this.log = log;
    this.key = "";
    /** How many messages were looked at, and how many of them are new to the person. */
    this.read = 0;
    this.fresh = 0;
  }

  /** @param {string} person @param {number} seen seq up to which they have looked */
  count(person, seen = 0) {
    const key = `${person}\n${seen}\n${this.log.rewrites}`;
    if (key !== this.key) [this.key, this.read, this.fresh] = [key, countUpTo(this.log.messages, seen), 0];
    const { messages, chats } = this.log;
    for (; this.read < messages.length; this.read++) {
      const message = messages[this.read];
      if (message.from === person) this.fresh = 0;
      else if (message.to === person || (chats.has(message.to) && this.log.receivers(message).includes(person))) this.fresh += 1;
    }
    return this.fresh;
  }
}
