/** The timeline: a lane for each agent, its runs as bars and its messages as marks, drawn on a canvas. */
import { sheet, tones } from "../draw/canvas.js";
import { button, h, setAttribute, setText } from "../draw/dom.js";
import { clock, cut, duration, number } from "../draw/format.js";
import { drawAxis, drawCursor, drawEvents, drawHeard, drawMessages, drawNames, drawRuns, middleOf, timeAt, xOf } from "../draw/swimlanes.js";
import { Glass, nearest, stretch } from "../log/lanes.js";

const AXIS = 20;
const NEAR = 6;
/** Of more agents than this, those have lanes who ran, wrote or heard, once anybody has. */
/** Screens lower than this have narrow lanes. */
const SHORT = 850;
const CROWD = 60;

/**
 * @typedef {import("../draw/swimlanes.js").Look} Look
 * @typedef {import("../wire/facts.js").Message} Message
 */

export class Timeline {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 250;
    this.glass = new Glass();
    /** @type {Look|null} what was drawn last; nothing yet, or nobody can see it */
    this.look = null;
    /** @type {Message|null} whose text is shown */
    this.pointed = null;
    /** @type {{x: number}|null} where a hand holds it */
    this.dragged = null;
    this.base = h("canvas.icnb-base");
    this.over = h("canvas.icnb-over", { tabindex: "0", role: "img", "aria-label": "Timeline" });
    this.axis = h("canvas.icnb-axis", { "aria-hidden": "true" });
    this.tip = h("div.icnb-tip", { role: "status", hidden: true });
    this.lanesBox = h("div.icnb-lanes", {}, this.base, this.over, this.tip);
    this.scroll = h("div.icnb-lane-scroll", {}, this.lanesBox);
    this.says = h("span.icnb-quiet");
    this.tools = h("div.icnb-tools", { role: "toolbar", "aria-label": "Timeline" }, this.says, h("span.icnb-gap"),
      button("All", () => this.#all(), { title: "show all of it" }),
      button("−", () => this.#zoom(2), { "aria-label": "show a longer time" }), button("+", () => this.#zoom(0.5), { "aria-label": "show a shorter time" }));
    this.el = h("section.icnb-part.icnb-timeline", { "data-part": "timeline", "aria-label": "Timeline" }, this.tools, this.scroll, this.axis);
    this.sized = new ResizeObserver(() => this.#draw());
    this.sized.observe(this.scroll);
    this.#listen();
  }

  #listen() {
    const { over } = this;
    over.addEventListener("pointermove", (event) => this.#moved(event));
    over.addEventListener("pointerleave", () => this.#point(null));
    over.addEventListener("blur", () => this.#point(null));
    over.addEventListener("pointerdown", (event) => {
      if (this.glass.length === null) return;
      this.dragged = { x: event.clientX };
      over.setPointerCapture(event.pointerId);
    });
    for (const name of ["pointerup", "pointercancel"]) over.addEventListener(name, () => (this.dragged = null));
    over.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    over.addEventListener("keydown", (event) => this.#key(event));
  }

  #all() {
    this.glass.all();
    this.#draw();
  }

  /** @param {number} factor @param {number} [about] a share of the width */
  #zoom(factor, about) {
    if (!this.look) return;
    this.glass.zoom(factor, this.look.whole, about);
    this.#draw();
  }

  /** @param {number} by pixels */
  #pan(by) {
    if (!this.look) return;
    const { low, high, width, whole } = this.look;
    this.glass.pan((by / width) * (high - low), whole);
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    if (!this.dragged) {
      this.#hover(event);
      return;
    }
    const by = event.clientX - this.dragged.x;
    this.dragged.x = event.clientX;
    this.#pan(-by);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!this.look) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const about = Math.min(1, Math.max(0, (event.offsetX - this.look.left) / this.look.width));
      this.#zoom(event.deltaY > 0 ? 1.25 : 0.8, about);
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && this.glass.length !== null) {
      event.preventDefault();
      this.#pan(event.deltaX);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (!by || !this.look) return;
    event.preventDefault();
    event.stopPropagation();
    const { low, high } = this.look;
    const shown = this.stage.log.messages.filter(({ seq, from, at }) => seq <= this.stage.asOf && from !== null && at >= low && at <= high);
    const at = this.pointed ? shown.indexOf(this.pointed) : by > 0 ? -1 : shown.length;
    this.#point(shown[Math.min(Math.max(at + by, 0), shown.length - 1)] ?? null);
  }

  /** @param {import("../stage.js").Seen} _change */
  update(_change) {
    this.#draw();
  }

  /** What is to be shown in so many pixels. @param {number} outer @returns {Look} */
  #looked(outer) {
    const { log, asOf } = this.stage;
    const agents = this.#present();
    const lanes = new Map(agents.map(({ id }, place) => [id, place]));
    const lane = agents.length <= 8 ? (globalThis.innerHeight < SHORT ? 20 : 26) : agents.length <= 16 ? 20 : 15;
    const left = Math.min(150, Math.round(outer * 0.2));
    const width = Math.max(40, outer - left - 10);
    const whole = stretch(log);
    const [low, high] = this.glass.shown(whole);
    return { log, asOf, agents, lanes, lane, left, width, outer, whole, low, high, tone: tones(this.el) };
  }

  #draw() {
    const outer = this.scroll.clientWidth;
    if (outer === 0) return;
    const look = this.#looked(outer);
    this.look = look;
    const height = Math.max(1, look.agents.length) * look.lane;
    this.lanesBox.style.height = `${height}px`;
    const pen = sheet(this.base, outer, height);
    drawNames(pen, look);
    drawRuns(pen, look);
    drawMessages(pen, look);
    drawEvents(pen, look, height);
    drawCursor(pen, look, height);
    drawAxis(sheet(this.axis, outer, AXIS), look);
    sheet(this.over, outer, height);
    if (this.pointed) this.#point(this.pointed);
    this.#note(look);
  }

  /** @param {Look} look */
  #note({ log, agents, low, high }) {
    const length = log.total;
    setAttribute(this.el, "data-total", length);
    setAttribute(this.el, "data-lanes", agents.length);
    const part = agents.length < log.agents.size ? ` · the ${agents.length} of ${number(log.agents.size)} who took part` : "";
    setText(this.says, length ? `${duration((high - low) / 1000)}${this.glass.length === null ? "" : " shown"}${part}` : "");
    setAttribute(this.over, "aria-label", `Timeline of ${agents.length} agents and ${length} messages; arrow keys go from message to message`);
  }

  #present() {
    const { log, edges, asOf } = this.stage;
    const all = [...log.agents.values()];
    if (all.length <= CROWD) return all;
    const { sent, received } = edges.at(asOf);
    const ran = new Set();
    for (const { agent, beganSeq } of log.runs.values()) if (beganSeq <= asOf) ran.add(agent);
    for (const [id, { runs }] of log.before?.agents ?? []) if (runs) ran.add(id);
    const present = all.filter(({ id }) => ran.has(id) || sent.has(id) || received.has(id));
    return present.length ? present : all;
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const { look } = this;
    const from = look?.agents[Math.floor(event.offsetY / look.lane)]?.id;
    if (!look || from === undefined || event.offsetX < look.left) {
      this.#point(null);
      return;
    }
    const within = (NEAR * (look.high - look.low)) / look.width;
    this.#point(nearest(look.log, { at: timeAt(look, event.offsetX), within, from, asOf: this.stage.asOf }) ?? null);
  }

  /** Show one message: its text, and lines to those who heard it. @param {Message|null} message */
  #point(message) {
    this.pointed = message;
    const pen = sheet(this.over, this.scroll.clientWidth, this.lanesBox.clientHeight);
    this.tip.hidden = !message;
    if (!message || !this.look) return;
    drawHeard(pen, this.look, message);
    const { log, texts } = this.stage;
    texts.want([message]);
    this.tip.replaceChildren(h("b", { dir: "auto" }, `${log.label(message.from)} → ${log.label(message.to)}`), h("div", {}, clock(message.at)), h("div", { dir: "auto" }, cut(message.text ?? "", 160)));
    const left = Math.min(Math.max(0, xOf(this.look, message.at) + 10), Math.max(0, this.scroll.clientWidth - this.tip.offsetWidth - 6));
    const middle = middleOf(this.look, message.from);
    const below = middle + 10;
    const top = below + this.tip.offsetHeight > this.lanesBox.clientHeight ? Math.max(0, middle - this.tip.offsetHeight - 10) : below;
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  destroy() {
    this.sized.disconnect();
  }
}
