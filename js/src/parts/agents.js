/** The list of agents: one card each, folded; what is new is brought up to date in place. */
import { AgentCard } from "./card.js";
import { h, setAttribute } from "../draw/dom.js";
import { oneStop } from "../keys.js";

const COMPACT = 12;

export class Agents {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 250;
    /** @type {Map<string, AgentCard>} */
    this.cards = new Map();
    this.list = h("div.icnb-cards", { role: "list" });
    this.arrange = oneStop(this.list, ".icnb-card-head");
    this.empty = h("p.icnb-empty", {}, "no agent yet");
    this.el = h("section.icnb-part.icnb-agents", { "data-part": "agents", "aria-label": "Agents", tabindex: "-1" }, this.list, this.empty);
  }

  /** @param {import("../stage.js").Seen} change */
  update(change) {
    if (change.messages && !change.runs && !change.live && !change.agents && !change.moment && !change.reset && this.stage.now) return;
    const { stage } = this;
    const states = stage.agentStates();
    const all = stage.log.agentsAt(stage.asOf).filter(({ id }) => !stage.log.agents.has(stage.focus) || id === stage.focus);
    const ids = new Set(all.map(({ id }) => id));
    for (const [id, card] of this.cards) {
      if (ids.has(id)) continue;
      card.el.remove();
      this.cards.delete(id);
    }
    all.forEach((agent, place) => {
      const state = states.get(agent.id);
      if (!state) return;
      const known = this.cards.get(agent.id);
      if (known) {
        known.update(agent, state);
        return;
      }
      const card = new AgentCard(agent, state, stage);
      this.cards.set(agent.id, card);
      this.list.insertBefore(card.el, this.list.children[place] ?? null);
      if (stage.focus === agent.id) card.open();
    });
    this.arrange();
    this.el.classList.toggle("icnb-compact", all.length > COMPACT);
    this.empty.hidden = all.length > 0;
    setAttribute(this.el, "data-total", all.length);
  }
}
