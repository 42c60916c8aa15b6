/** Who wrote to whom, and how often: one edge for each ordered pair, direct and group counted apart. No DOM. */
import { countUpTo } from "./log.js";

/**
 * @typedef {{from: string, to: string, direct: number, group: number, last: number}} Edge
 * @typedef {{edges: Map<string, Edge>, sent: Map<string, number>, received: Map<string, number>}} Counts
 */

export class Edges {
  /** @param {import("./log.js").Log} log */
  constructor(log) {
    this.log = log;
    this.now = begun(log.before);
    this.counted = 0;
    this.rewrites = log.rewrites;
    /** @type {{asOf: number, counts: Counts}|null} */
    this.past = null;
  }

  /**
   * The counts as of a seq. The newest ones are counted on from where they stood; those of the past anew.
   * @param {number} [asOf]
   * @returns {Counts}
   */
  at(asOf = Infinity) {
    const { log } = this;
    if (this.rewrites !== log.rewrites) {
      [this.now, this.counted, this.past, this.rewrites] = [begun(log.before), 0, null, log.rewrites];
    }
    if (asOf !== Infinity) {
      const past = this.past?.asOf === asOf ? this.past : { asOf, counts: this.#count(begun(log.before, asOf), 0, countUpTo(log.messages, asOf)) };
      this.past = past;
      return past.counts;
    }
    this.#count(this.now, this.counted, log.messages.length);
    this.counted = log.messages.length;
    return this.now;
  }

  /** @param {Counts} counts @param {number} from @param {number} to */
  #count(counts, from, to) {
    for (let i = from; i < to; i++) {
      const message = this.log.messages[i];
      if (message.from === null) continue; // the program is nobody
      const kind = this.log.chats.has(message.to) ? "group" : "direct";
      counts.sent.set(message.from, (counts.sent.get(message.from) ?? 0) + 1);
      for (const receiver of this.log.receivers(message)) {
        const key = `${message.from}\n${receiver}`;
        let edge = counts.edges.get(key);
        if (!edge) counts.edges.set(key, (edge = { from: message.from, to: receiver, direct: 0, group: 0, last: 0 }));
        edge[kind] += 1;
        edge.last = message.seq;
        counts.received.set(receiver, (counts.received.get(receiver) ?? 0) + 1);
      }
    }
    return counts;
  }
}

/**
 * Of more members than so many: those who wrote and heard most, in their order. Of two about as busy, the one that is
 * drawn already stays. Where nobody has talked: the first ones.
 * @param {string[]} ids
 * @param {{sent: Map<string, number>, received: Map<string, number>}} counts
 * @param {number} most
 * @param {{has: (id: string) => boolean}} [drawn]
 */
export function busiest(ids, { sent, received }, most, drawn = new Set()) {
  if (ids.length <= most) return ids;
  const level = new Map();
  for (const id of ids) {
    const count = (sent.get(id) ?? 0) + (received.get(id) ?? 0);
    if (count) level.set(id, Math.round(Math.log2(count) * 2));
  }
  if (level.size === 0) return ids.slice(0, most);
  const first = [...level].sort(([a, ofA], [b, ofB]) => ofB - ofA || Number(drawn.has(b)) - Number(drawn.has(a)));
  const chosen = new Set(first.slice(0, most).map(([id]) => id));
  return ids.filter((id) => chosen.has(id));
}

/** What lies before the first message that is known, if it does before the shown moment. @param {import("./before.js").Before|null} before @returns {Counts} */
function begun(before, asOf = Infinity) {
  const sums = before && before.seq <= asOf ? before : null;
  const counted = (/** @type {"sent"|"received"} */ what) =>
    new Map([...(sums?.agents ?? [])].flatMap(([id, of]) => (of[what] ? [[id, of[what]]] : [])));
  return {
    edges: new Map((sums?.edges ?? []).map((edge) => [`${edge.from}\n${edge.to}`, { ...edge }])),
    sent: counted("sent"),
    received: counted("received"),
  };
}
