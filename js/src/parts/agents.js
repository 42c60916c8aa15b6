/** The list of agents: one card each, folded; of many, those at work come first, and some can be picked out. */
import { AgentCard } from "./card.js";
import { h, setAttribute, setOptions, setText } from "../draw/dom.js";
import { counted, number } from "../draw/format.js";
import { oneStop } from "../keys.js";

const COMPACT = 12;
/** Between two looks at who comes first: cards that changed places all the time could not be read. */
const SORT_MS = 2000;
/** Who comes first, by what each is doing. */
const RANKS = ["failed", "thinking", "acting", "rate", "waiting"];

/**
 * @typedef {import("../wire/facts.js").Agent} Agent
 * @typedef {import("../log/past.js").AgentState} AgentState
 */

export class Agents {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 250;
    /** @type {Map<string, AgentCard>} */
    this.cards = new Map();
    this.sorted = -Infinity;
    const changed = () => {
      this.sorted = -Infinity;
      this.update({ moment: true });
    };
    this.words = h("input.icnb-input", { type: "search", placeholder: "Find", "aria-label": "Find an agent", oninput: changed });
    this.team = h("select.icnb-select", { "aria-label": "Team", onchange: changed });
    this.state = h("select.icnb-select", { "aria-label": "State", onchange: changed });
    this.count = h("span.icnb-quiet.icnb-count", { role: "status" });
    this.found = h("div.icnb-found", { hidden: true }, this.words, this.team, this.state, this.count);
    this.list = h("div.icnb-cards", { role: "list" });
    this.arrange = oneStop(this.list, ".icnb-card-head");
    this.empty = h("p.icnb-empty", {}, "no agent yet");
    this.el = h("section.icnb-part.icnb-agents", { "data-part": "agents", "aria-label": "Agents", tabindex: "-1" }, this.found, this.list, this.empty);
  }

  /** @param {import("../stage.js").Seen} change */
  update(change) {
    if (change.messages && !change.runs && !change.live && !change.agents && !change.moment && !change.reset && this.stage.now) return;
    const { stage } = this;
    const states = stage.agentStates();
    const all = stage.log.agentsAt(stage.asOf).filter(({ id }) => !stage.log.agents.has(stage.focus) || id === stage.focus);
    const many = all.length > COMPACT;
    this.found.hidden = !many;
    if (many) this.#offer(all);
    const shown = many ? all.filter((agent) => this.#passes(agent, states.get(agent.id))) : all;
    this.#remove(new Set(shown.map(({ id }) => id)));
    shown.forEach((agent, place) => this.#show(agent, states.get(agent.id), place));
    if (many) this.#sort(shown, states);
    this.arrange();
    this.el.classList.toggle("icnb-compact", many);
    this.empty.hidden = shown.length > 0;
    setText(this.empty, all.length ? "no agent is like that" : "no agent yet");
    setText(this.count, shown.length < all.length ? `${number(shown.length)} of ${number(all.length)}` : counted(all.length, "member"));
    setAttribute(this.el, "data-total", all.length);
  }

  /** @param {Set<string>} wanted */
  #remove(wanted) {
    for (const [id, card] of this.cards) {
      if (wanted.has(id)) continue;
      card.el.remove();
      this.cards.delete(id);
    }
  }

  /** @param {Agent} agent @param {AgentState|undefined} state @param {number} place */
  #show(agent, state, place) {
    if (!state) return;
    const known = this.cards.get(agent.id);
    if (known) {
      known.update(agent, state);
      return;
    }
    const card = new AgentCard(agent, state, this.stage);
    this.cards.set(agent.id, card);
    this.list.insertBefore(card.el, this.list.children[place] ?? null);
    if (this.stage.focus === agent.id) card.open();
  }

  /** @param {Agent[]} all */
  #offer(all) {
    const teams = [...new Set(all.map(({ team }) => team ?? ""))].filter(Boolean).sort();
    this.team.hidden = teams.length === 0;
    setOptions(this.team, [["", "all teams"], ...teams.map((team) => /** @type {[string, string]} */ ([team, team.slice(0, 60)]))]);
    setOptions(this.state, [["", "any state"], ["work", "at work"], ["waiting", "waiting"], ["failed", "failed"], ["paused", "paused"], ["idle", "idle"]]);
  }

  /** @param {Agent} agent @param {AgentState|undefined} state */
  #passes(agent, state) {
    const wanted = this.words.value.trim().toLowerCase();
    if (wanted && !`${agent.name} ${agent.id} ${agent.description}`.toLowerCase().includes(wanted)) return false;
    if (this.team.value && agent.team !== this.team.value) return false;
    const is = state?.paused ? "paused" : /thinking|acting/.test(state?.status ?? "") ? "work" : state?.status === "rate" ? "waiting" : state?.status;
    return !this.state.value || is === this.state.value;
  }

  /** Put those first who are at work, then those who did most; nothing moves while somebody is there. @param {Agent[]} shown @param {Map<string, AgentState>} states */
  #sort(shown, states) {
    const now = performance.now();
    if (now - this.sorted < SORT_MS || this.list.matches(":hover, :focus-within") || this.list.querySelector(".icnb-unfolded")) return;
    this.sorted = now;
    const key = (/** @type {Agent} */ { id }) => {
      const state = states.get(id);
      const rank = RANKS.indexOf(state?.status ?? "");
      return [rank < 0 ? RANKS.length : rank, -(state?.unread ?? 0), -(state?.runs ?? 0)];
    };
    const keyed = shown.map((agent) => ({ card: this.cards.get(agent.id), key: key(agent) }));
    keyed.sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || a.key[2] - b.key[2]);
    keyed.forEach(({ card }, place) => {
      if (card && this.list.children[place] !== card.el) this.list.insertBefore(card.el, this.list.children[place] ?? null);
    });
  }
}
