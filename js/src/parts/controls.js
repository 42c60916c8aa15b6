/** The head of a dashboard: what runs here, how it stands, and the buttons that start, hold and end it. */
import { Outcome } from "../wire/actions.js";
import { Budget } from "./budget.js";
import { button, h, said, setAttribute, setText } from "../draw/dom.js";
import { clock, counted, cut } from "../draw/format.js";
import { icon, SHAPES } from "../draw/icons.js";
import { GONE } from "../wire/source.js";

/** @typedef {"start"|"pause"|"resume"|"step"|"stop"} Action */

/** @type {Action[]} */
const ACTIONS = ["start", "pause", "resume", "step", "stop"];

/** Which actions make sense in a state. @param {string} state @returns {Record<Action, boolean>} */
export function possible(state) {
  return { start: state === "new", pause: state === "running", resume: state === "paused", step: state === "new" || state === "paused", stop: state !== "stopped" };
}

export class Controls {
  /** @param {import("../stage.js").Stage} stage @param {string} [title] of a log whose service is not here @param {boolean} [page] whether it is the page's own title */
  constructor(stage, title = "", page = false) {
    this.stage = stage;
    this.title = title;
    this.every = 200;
    this.outcome = new Outcome(stage.source);
    this.budget = new Budget();
    this.name = h(page ? "h1.icnb-title" : "h2.icnb-title");
    this.status = h("span.icnb-state", { role: "status", "aria-live": "polite" });
    this.notice = h("p.icnb-notice", { dir: "auto", hidden: true });
    /** @type {Record<Action, HTMLButtonElement>} */
    this.buttons = {
      start: this.#button("Start", "start", "play"),
      pause: this.#button("Pause", "pause", "pause"),
      resume: this.#button("Resume", "resume", "play"),
      step: this.#button("Step", "step", "step", "let one run happen"),
      stop: this.#button("Stop", "stop", "stop", "end it for good"),
    };
    this.retry = button("Retry", () => this.outcome.do("retry"), { class: "icnb-button icnb-main", hidden: true, title: "try every failed run again" });
    this.retry.prepend(icon(SHAPES.retry));
    this.no = button("No", () => this.#ask(false));
    this.sure = h("span.icnb-sure", { hidden: true, role: "group", "aria-label": "Stop for good?" }, "Stop for good? ",
      button("Yes, stop", () => this.#stop(), { class: "icnb-button icnb-danger" }), this.no);
    this.bar = h("div.icnb-actions", { role: "toolbar", "aria-label": "Controls" }, this.retry, ...Object.values(this.buttons), this.sure);
    this.el = h("div.icnb-head", { "data-part": "controls" },
      h("div.icnb-headline", {}, h("div.icnb-titles", {}, this.name, this.status), this.bar), this.budget.el, this.notice, this.outcome.el);
  }

  /** @param {string} label @param {Action} action @param {keyof typeof SHAPES} shape @param {string} [title] */
  #button(label, action, shape, title = "") {
    const press = action === "stop" ? () => this.#ask(true) : () => this.outcome.do(action);
    const made = button(label, press, { "data-action": action, title: title || false });
    made.prepend(icon(SHAPES[shape]));
    return made;
  }

  /** @param {boolean} open */
  #ask(open) {
    this.sure.hidden = !open;
    this.buttons.stop.hidden = open;
    (open ? this.no : this.buttons.stop).focus();
  }

  #stop() {
    this.#ask(false);
    this.outcome.do("stop");
  }

  /** @param {import("../stage.js").Seen} _change */
  update(_change) {
    const { source, log } = this.stage;
    const { service } = log;
    const name = cut(service?.name || this.title || "Log", 120);
    if (this.name.textContent !== name) this.name.replaceChildren(said(name));
    const state = service?.state ?? "finished";
    setAttribute(this.el, "data-state", state);
    setAttribute(this.el, "data-status", service?.status ?? "finished log");
    setAttribute(this.el, "data-total", log.total);
    setText(this.status, service ? cut(service.status ?? state, 300) : this.#summary());
    this.status.dataset.tone = this.#tone(service);
    const notice = [source.gone ? GONE : "", service?.notice ?? ""].filter(Boolean).join(" · ");
    this.notice.hidden = !notice;
    setText(this.notice, cut(notice, 600));
    this.budget.update(service);
    this.#offer(service && source.can("do") ? possible(state) : {}, state);
    this.retry.hidden = service?.reason !== "failed" || state === "stopped" || !source.can("do");
    this.bar.hidden = !source.live || source.gone || !service;
  }

  /**
   * Start and Resume share a place: of the two, only the one that could ever be pressed next stands there.
   * @param {Partial<Record<Action, boolean>>} can @param {string} state
   */
  #offer(can, state) {
    const pressed = ACTIONS.find((action) => this.buttons[action] === document.activeElement);
    for (const action of ACTIONS) this.buttons[action].disabled = !can[action];
    this.buttons.start.hidden = state !== "new";
    this.buttons.resume.hidden = state === "new";
    if (!can.stop && !this.sure.hidden) this.#ask(false);
    const main = can.start ? "start" : can.resume ? "resume" : "";
    for (const action of ACTIONS) this.buttons[action].classList.toggle("icnb-main", action === main);
    // Who pressed Pause by a key stands on Resume next, not outside the view.
    if (pressed && !can[pressed]) ACTIONS.map((action) => this.buttons[action]).find((one) => !one.disabled && !one.hidden)?.focus();
  }

  /** @param {import("../wire/facts.js").Service|null} service */
  #tone(service) {
    if (!service) return "off";
    if (/fail|limit/.test(`${service.reason} ${service.status}`)) return "bad";
    if (service.state === "running") return service.reason ? "idle" : "busy";
    return service.state === "paused" ? "wait" : "off";
  }

  #summary() {
    const { log } = this.stage;
    const { messages } = log;
    const parts = [counted(log.agents.size, "agent"), counted(log.total, "message"), counted(log.runs.size + (log.before?.runs ?? 0), "run")];
    const [first, last] = [log.before?.when?.from ?? messages[0]?.at, messages.at(-1)?.at];
    if (first !== undefined && last !== undefined) parts.push(`${new Date(first).toISOString().slice(0, 10)}, ${clock(first)}–${clock(last)}`);
    return parts.join(" · ");
  }
}
