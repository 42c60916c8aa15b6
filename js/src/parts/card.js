/** One agent: what it is doing and has spent, and, unfolded, what it is for and what it has said and done. */
import { Outcome } from "../wire/actions.js";
import { button, freshId, h, said, setAttribute, setText } from "../draw/dom.js";
import { counted, cut, moneyOf, number, short } from "../draw/format.js";
import { icon, SHAPES, statusBadge } from "../draw/icons.js";
import { showItems } from "./items.js";

/**
 * @typedef {import("../stage.js").Stage} Stage
 * @typedef {import("../wire/facts.js").Agent} Agent
 * @typedef {import("../log/past.js").AgentState} AgentState
 */

export class AgentCard {
  /** @param {Agent} agent @param {AgentState} state @param {Stage} stage */
  constructor(agent, state, stage) {
    this.agent = agent;
    this.state = state;
    this.stage = stage;
    this.unfolded = false;
    this.statusKey = "";
    /** @type {Details|null} made when they are first unfolded */
    this.details = null;
    const place = freshId("card");
    this.name = h("span.icnb-name");
    this.status = h("span");
    this.unread = h("span.icnb-pill", { hidden: true });
    this.spent = h("span");
    this.line = h("div.icnb-quiet.icnb-spent", {}, this.unread, this.spent);
    this.about = h("p.icnb-about", { dir: "auto" });
    this.fold = h("button.icnb-card-head", { type: "button", "aria-expanded": "false", "aria-controls": place, onclick: () => this.#toggle() },
      h("span.icnb-swatch", { "aria-hidden": "true" }), this.name, h("span.icnb-gap"), this.status);
    this.holder = h("div.icnb-details", { id: place, hidden: true });
    this.el = h("div.icnb-card", { role: "listitem", "data-agent": agent.id, style: { "--own": stage.log.colour(agent.id) } },
      this.fold, this.about, this.line, this.holder);
    this.update(agent, state);
  }

  open() {
    if (!this.unfolded) this.#toggle();
  }

  #toggle() {
    this.unfolded = !this.unfolded;
    if (this.unfolded && !this.details) {
      this.details = new Details(this.agent, this.stage);
      this.holder.append(...this.details.parts);
    }
    this.holder.hidden = !this.unfolded;
    this.el.classList.toggle("icnb-unfolded", this.unfolded);
    const list = this.el.parentElement;
    list?.parentElement?.classList.toggle("icnb-tall", list.querySelector(".icnb-unfolded") !== null);
    setAttribute(this.fold, "aria-expanded", String(this.unfolded));
    this.update(this.agent, this.state);
  }

  /** @param {Agent} agent @param {AgentState} state */
  update(agent, state) {
    this.agent = agent;
    this.state = state;
    const label = this.stage.log.label(agent.id);
    if (this.name.textContent !== label) this.name.replaceChildren(said(label));
    const key = `${state.status} ${state.paused}`;
    if (this.statusKey !== key) this.status.replaceChildren(statusBadge(state.status, state.paused));
    this.statusKey = key;
    setAttribute(this.el, "data-status", state.status);
    setAttribute(this.el, "data-unread", state.unread);
    setAttribute(this.el, "data-paused", state.paused);
    this.unread.hidden = !state.unread;
    setText(this.unread, `${short(state.unread)} unread`);
    setText(this.about, cut(agent.description ?? "", 300));
    const person = agent.kind === "person";
    setText(this.spent, person ? "" : `${counted(state.runs, "run")} · ${short(state.tokens)} tokens · ${moneyOf(state.bills)}`);
    if (this.unfolded) this.details?.update(agent, state);
  }
}

/** What a card holds below its fold. */
class Details {
  /** @param {Agent} agent @param {Stage} stage */
  constructor(agent, stage) {
    const { id } = agent;
    this.id = id;
    this.stage = stage;
    this.paused = false;
    this.outcome = new Outcome(stage.source);
    this.hold = button("Pause", () => this.outcome.do(this.paused ? "resume_agent" : "pause_agent", { agent: id }));
    this.retry = button("Retry", () => this.outcome.do("retry", { agent: id }));
    this.retry.prepend(icon(SHAPES.retry));
    this.begin = button("Begin", () => this.outcome.do("begin", { agent: id }), { title: "set it to work on its mission" });
    this.begin.prepend(icon(SHAPES.play));
    this.facts = h("p.icnb-quiet.icnb-facts");
    this.talk = h("div.icnb-items.icnb-conversation", { hidden: true, tabindex: "0", "aria-label": "Conversation" });
    this.talkButton = button("Conversation", () => this.#showTalk(), { "aria-expanded": "false" });
    this.onlyThis = button("Its messages", () => stage.choose(stage.chosen.agent === id ? {} : { agent: id }), { "aria-pressed": "false" });
    /** @type {((agent: Agent) => void)[]} */
    this.editors = [];
    const fields = agent.kind === "person" ? [] : [this.#editor("mission", "Mission", 5), this.#editor("description", "Description", 2)];
    const actions = h("div.icnb-actions", {}, this.begin, this.hold, this.retry, this.talkButton, stage.focus ? null : this.onlyThis);
    this.parts = [this.facts, ...fields, actions, this.outcome.el, this.talk];
  }

  /** @param {"mission"|"description"} field @param {string} title @param {number} rows */
  #editor(field, title, rows) {
    const name = freshId(field);
    const area = h("textarea.icnb-input", { id: name, rows, dir: "auto", spellcheck: "false" });
    const note = h("span.icnb-quiet", {}, "applies at the next run");
    const apply = button("Apply", async () => {
      apply.disabled = true;
      const wanted = area.value;
      const done = await this.outcome.do("edit", { agent: this.id, [field]: wanted });
      if (done) known = wanted;
      show();
    }, { disabled: true });
    let known = "";
    const show = () => {
      const changed = area.value !== known;
      apply.disabled = !changed || !this.stage.source.can("do");
      note.hidden = !changed;
    };
    area.addEventListener("input", show);
    this.editors.push((agent) => {
      const told = agent[field] ?? "";
      if (area.value === known && told !== area.value) area.value = told; // an edit in progress is nobody's to overwrite
      known = told;
      area.readOnly = !this.stage.source.can("do");
      apply.hidden = area.readOnly;
      show();
    });
    return h("div.icnb-field", {}, h("label", { for: name }, title), area, h("div.icnb-apply", {}, note, apply));
  }

  #showTalk() {
    const open = Boolean(this.talk.hidden);
    this.talk.hidden = !open;
    this.talk.parentElement?.classList.toggle("icnb-talking", open); // it stands in the place of the boxes above it
    setAttribute(this.talkButton, "aria-expanded", String(open));
    if (!open) return;
    const ask = (/** @type {import("../wire/facts.js").Slow} */ slow) => this.stage.source.ask("conversation", { agent: this.id }, slow);
    showItems(this.talk, ask, "nothing has been said to it yet").then(() => (this.talk.scrollTop = this.talk.scrollHeight));
  }

  /** @param {Agent} agent @param {AgentState} state */
  update(agent, state) {
    const { stage } = this;
    const person = agent.kind === "person";
    this.paused = state.paused;
    const acts = stage.source.can("do") && stage.now && !person;
    const about = [`id ${cut(agent.id, 60)}`, agent.model && `model ${cut(agent.model, 80)}`, person ? null : `${counted(state.steps, "model call")}, ${number(state.tokens)} tokens`];
    setText(this.facts, about.filter(Boolean).join(" · "));
    for (const tell of this.editors) tell(agent);
    this.hold.hidden = !acts;
    this.begin.hidden = !acts || stage.log.service?.state === "stopped" || state.status !== "idle";
    setText(this.hold, state.paused ? "Resume" : "Pause");
    this.retry.hidden = !(acts && state.status === "failed");
    this.talkButton.hidden = person || !stage.source.can("conversation");
    setAttribute(this.onlyThis, "aria-pressed", stage.chosen.agent === agent.id);
    this.onlyThis.classList.toggle("icnb-on", stage.chosen.agent === agent.id);
  }
}
