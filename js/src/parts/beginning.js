/** Before anybody has written: who begins? A service that runs and has no mail is as quiet as one that is done. */
import { Outcome } from "../wire/actions.js";
import { button, h, setOptions } from "../draw/dom.js";

export class Beginning {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.outcome = new Outcome(stage.source);
    this.who = h("select.icnb-select", { "aria-label": "Who begins" });
    this.begin = button("Begin", () => this.outcome.do("begin", { agent: this.who.value }), { class: "icnb-button icnb-main" });
    this.el = h("div.icnb-beginning", { "data-part": "beginning", hidden: true },
      h("p", {}, "Nobody has written yet. Agents do nothing until somebody sets one to work:"),
      h("div.icnb-actions", {}, h("label", {}, "Who begins? ", this.who), this.begin), this.outcome.el);
  }

  update() {
    const { source, log, now, focus } = this.stage;
    const agents = [...log.agents.values()].filter(({ kind }) => kind === "agent");
    this.el.hidden = !source.can("do") || !now || Boolean(focus) || log.total > 0 || agents.length === 0 || log.service?.state === "stopped";
    if (!this.el.hidden) setOptions(this.who, agents.map(({ id }) => [id, log.label(id)]));
  }
}
