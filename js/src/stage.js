/** What the parts of one rendered view share: the log, the moment they show, what is chosen, and when each is drawn. */
import { Edges } from "./log/edges.js";
import { agentStates } from "./log/past.js";
import { Older } from "./log/older.js";
import { Texts } from "./log/texts.js";

/**
 * @typedef {import("./wire/facts.js").Change & {moment?: boolean, chosen?: boolean}} Seen
 * @typedef {import("./wire/facts.js").Source} Source
 * @typedef {{el: HTMLElement, update: (change: Seen) => void, every?: number, destroy?: () => void}} Part
 * @typedef {{part: Part, pending: Seen|null, drawn: number, cost: number}} Entry
 */

/** A part that took long to draw waits this many times as long before it is drawn again. */
const SHARE = 8;

export class Stage {
  /** @param {Source} source @param {{focus?: string}} [given] */
  constructor(source, { focus = "" } = {}) {
    this.source = source;
    this.log = source.log;
    this.focus = focus;
    /** The seq whose moment is shown; Infinity is now. */
    this.asOf = Infinity;
    /** What the transcript is limited to by a person: an agent, a chat, or the inbox. */
    this.chosen = { agent: "", chat: "", inbox: false };
    /** Whom the viewer writes as. */
    this.person = "";
    this.inboxSeen = 0;
    /** Whether texts are shown as they are written, every sign of them. */
    this.written = false;
    this.edges = new Edges(this.log);
    this.texts = new Texts(source);
    this.older = new Older(source);
    /** @type {Entry[]} */
    this.parts = [];
    this.closed = false;
    this.frame = 0;
    /** @type {ReturnType<typeof setTimeout>|0} */
    this.timer = 0;
    /** @type {Map<string, import("./log/past.js").AgentState>|null} */
    this.states = null;
    this.unlisten = source.onFacts((change) => this.#changed(change));
  }

  /** Whether the present is shown, of a service that runs here. */
  get now() {
    return this.asOf === Infinity;
  }

  /** The state of every agent at the shown moment; counted once per change. */
  agentStates() {
    this.states ??= agentStates(this.log, this.asOf);
    return this.states;
  }

  /** @param {Part} part */
  add(part) {
    this.parts.push({ part, pending: { reset: true, moment: true }, drawn: -Infinity, cost: 0 });
    this.#schedule();
    return part.el;
  }

  /** Show the state as of a seq. @param {number} seq */
  showMoment(seq) {
    if (seq === this.asOf) return;
    this.asOf = seq;
    this.#changed({ moment: true });
  }

  /** Limit the transcript. @param {Partial<{agent: string, chat: string, inbox: boolean}>} choice */
  choose(choice) {
    this.chosen = { agent: "", chat: "", inbox: false, ...choice };
    this.#changed({ chosen: true });
  }

  /** Draw again, for instance after the size changed. */
  redraw() {
    this.#changed({ moment: true });
  }

  /** Everyone in the log, people chosen to write as first. */
  people() {
    return this.log.people.filter((id) => this.log.agents.has(id));
  }

  /** @param {Seen} change */
  #changed(change) {
    this.states = null;
    for (const entry of this.parts) entry.pending = { ...entry.pending, ...change };
    this.#schedule();
  }

  #schedule() {
    if (this.frame || this.closed) return;
    this.frame = requestAnimationFrame((time) => this.#draw(time));
  }

  /** Each part is drawn no more often than it asked for, unless a person did something. @param {number} time */
  #draw(time) {
    this.frame = 0;
    let soonest = Infinity;
    for (const entry of this.parts) {
      if (!entry.pending) continue;
      const due = entry.drawn + Math.max(entry.part.every ?? 0, entry.cost * SHARE);
      const urgent = entry.pending.moment || entry.pending.chosen || entry.pending.reset;
      if (!urgent && due > time) {
        soonest = Math.min(soonest, due - time);
        continue;
      }
      const change = entry.pending;
      entry.pending = null;
      entry.drawn = time;
      const began = performance.now();
      entry.part.update(change);
      entry.cost = 0.7 * entry.cost + 0.3 * (performance.now() - began);
    }
    if (soonest < Infinity && !this.timer) {
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.#schedule();
      }, soonest);
    }
  }

  close() {
    this.closed = true;
    this.unlisten();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    for (const { part } of this.parts) part.destroy?.();
    this.parts = [];
  }
}
