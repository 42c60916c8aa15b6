/** What agents are writing right now: a grey line for each one at work, gone when its message is there. */
import { h, said, setAttribute, setText } from "../draw/dom.js";

/** Of more at once, the others are counted. */
const MOST = 5;

export class Drafts {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    /** @type {Map<string, {el: HTMLElement, to: HTMLElement, text: HTMLElement}>} */
    this.lines = new Map();
    this.list = h("div");
    this.more = h("div.icnb-quiet", { hidden: true });
    this.el = h("div.icnb-drafts", { "data-part": "drafts", "aria-label": "Being written", hidden: true }, this.list, this.more);
  }

  update() {
    const { log, now, focus, source } = this.stage;
    const all = now && !source.gone ? [...log.doing].filter(([id, { writing }]) => writing && (!log.agents.has(focus) || id === focus)) : [];
    const shown = new Map(all.slice(0, MOST));
    for (const [id, { el }] of this.lines) {
      if (shown.has(id)) continue;
      el.remove();
      this.lines.delete(id);
    }
    for (const [id, { writing }] of shown) {
      const line = this.lines.get(id) ?? this.#begun(id);
      const { text = "", to = "", tool = "" } = writing ?? {};
      setText(line.to, to ? `→ ${log.label(to)}` : tool ? `calls ${tool.slice(0, 60)}` : "thinks");
      setText(line.text, text);
      line.text.scrollTop = line.text.scrollHeight;
    }
    this.el.hidden = shown.size === 0;
    this.more.hidden = all.length <= MOST;
    setText(this.more, `and ${all.length - MOST} more`);
    setAttribute(this.el, "data-count", all.length);
  }

  /** @param {string} id */
  #begun(id) {
    const { log } = this.stage;
    const to = h("span.icnb-quiet");
    const text = h("div.icnb-draft-text", { dir: "auto" });
    const el = h("div.icnb-draft", { "data-agent": id, style: { "--own": log.colour(id) } }, h("div.icnb-draft-head", {}, h("b.icnb-name", {}, said(log.label(id))), " ", to), text);
    this.list.append(el);
    const line = { el, to, text };
    this.lines.set(id, line);
    return line;
  }
}
