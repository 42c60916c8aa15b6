/** The timeline: a lane for each agent, its runs as bars and its messages as marks, drawn on a canvas. */
import { bars, fitting, hatch, sheet, tones } from "../draw/canvas.js";
import { button, h, setAttribute, setText } from "../draw/dom.js";
import { shownOn } from "../draw/colours.js";
import { clock, cut, duration, number, tickLabel } from "../draw/format.js";
import { Glass, marks, nearest, stretch, ticks } from "../log/lanes.js";

const AXIS = 20;
const NEAR = 6;
/** Of more agents than this, those have lanes who ran, wrote or heard, once anybody has. */
const CROWD = 60;

export class Timeline {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 250;
    this.glass = new Glass();
    this.base = h("canvas.icnb-base");
    this.over = h("canvas.icnb-over", { tabindex: "0", role: "img", "aria-label": "Timeline" });
    this.axis = h("canvas.icnb-axis", { "aria-hidden": "true" });
    this.tip = h("div.icnb-tip", { role: "status", hidden: true });
    this.lanesBox = h("div.icnb-lanes", {}, this.base, this.over, this.tip);
    this.scroll = h("div.icnb-lane-scroll", {}, this.lanesBox);
    this.says = h("span.icnb-quiet");
    const zoom = (factor) => () => this.#look(() => this.glass.zoom(factor, this.whole));
    this.tools = h("div.icnb-tools", { role: "toolbar", "aria-label": "Timeline" }, this.says, h("span.icnb-gap"),
      button("All", () => this.#look(() => this.glass.all()), { title: "show all of it" }),
      button("−", zoom(2), { "aria-label": "show a longer time" }), button("+", zoom(0.5), { "aria-label": "show a shorter time" }));
    this.el = h("section.icnb-part.icnb-timeline", { "data-part": "timeline", "aria-label": "Timeline" }, this.tools, this.scroll, this.axis);
    this.sized = new ResizeObserver(() => this.#draw());
    this.sized.observe(this.scroll);
    this.#listen();
  }

  #listen() {
    const { over } = this;
    over.addEventListener("pointermove", (event) => (this.dragged ? this.#pan(event) : this.#hover(event)));
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

  #look(change) {
    change();
    this.#draw();
  }

  #pan(event) {
    const by = event.clientX - this.dragged.x;
    this.dragged.x = event.clientX;
    this.#look(() => this.glass.pan((-by / this.width) * (this.high - this.low), this.whole));
  }

  #wheel(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const about = Math.min(1, Math.max(0, (event.offsetX - this.left) / this.width));
      this.#look(() => this.glass.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.whole, about));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && this.glass.length !== null) {
      event.preventDefault();
      this.#look(() => this.glass.pan((event.deltaX / this.width) * (this.high - this.low), this.whole));
    }
  }

  #key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const shown = this.stage.log.messages.filter(({ seq, from, at }) => seq <= this.stage.asOf && from !== null && at >= this.low && at <= this.high);
    const at = this.pointed ? shown.indexOf(this.pointed) : by > 0 ? -1 : shown.length;
    this.#point(shown[Math.min(Math.max(at + by, 0), shown.length - 1)] ?? null);
  }

  /** @param {import("../stage.js").Seen} _change */
  update(_change) {
    this.#draw();
  }

  #draw() {
    const { log, asOf } = this.stage;
    const outer = this.scroll.clientWidth;
    if (outer === 0) return;
    this.agents = this.#present();
    this.lanes = new Map(this.agents.map(({ id }, place) => [id, place]));
    this.lane = this.agents.length <= 8 ? 26 : this.agents.length <= 16 ? 20 : 15;
    this.left = Math.min(150, Math.round(outer * 0.2));
    this.width = Math.max(40, outer - this.left - 10);
    this.whole = stretch(log);
    [this.low, this.high] = this.glass.shown(this.whole);
    this.tone = tones(this.el);
    const height = Math.max(1, this.agents.length) * this.lane;
    this.lanesBox.style.height = `${height}px`;
    const pen = sheet(this.base, outer, height);
    this.#rows(pen, outer);
    this.#runs(pen, asOf);
    this.#messages(pen, asOf);
    this.#cursor(pen, asOf, height);
    this.#times(outer);
    sheet(this.over, outer, height);
    if (this.pointed) this.#point(this.pointed);
    setAttribute(this.el, "data-total", log.messages.length);
    setAttribute(this.el, "data-lanes", this.agents.length);
    const part = this.agents.length < log.agents.size ? ` · the ${this.agents.length} of ${number(log.agents.size)} who took part` : "";
    setText(this.says, log.messages.length ? `${duration((this.high - this.low) / 1000)}${this.glass.length === null ? "" : " shown"}${part}` : "");
    setAttribute(this.over, "aria-label", `Timeline of ${this.agents.length} agents and ${log.messages.length} messages; arrow keys go from message to message`);
  }

  #present() {
    const { log, edges, asOf } = this.stage;
    const all = [...log.agents.values()];
    if (all.length <= CROWD) return all;
    const { sent, received } = edges.at(asOf);
    const ran = new Set();
    for (const { agent, beganSeq } of log.runs.values()) if (beganSeq <= asOf) ran.add(agent);
    const present = all.filter(({ id }) => ran.has(id) || sent.has(id) || received.has(id));
    return present.length ? present : all;
  }

  #x(at) {
    return this.left + ((at - this.low) / (this.high - this.low)) * this.width;
  }

  #colour(place) {
    return shownOn(this.agents[place].colour, this.tone.dark);
  }

  #rows(pen, outer) {
    const small = this.lane < 18;
    pen.font = `${small ? 10 : 12}px ${this.tone.font}`;
    pen.textBaseline = "middle";
    this.agents.forEach(({ id }, place) => {
      const y = place * this.lane;
      if (place % 2) {
        pen.fillStyle = this.tone.stripe;
        pen.fillRect(0, y, outer, this.lane);
      }
      pen.fillStyle = this.#colour(place);
      pen.fillRect(4, y + this.lane / 2 - 4, 8, 8);
      pen.fillStyle = this.tone.ink;
      pen.fillText(fitting(pen, this.stage.log.label(id), this.left - 24), 18, y + this.lane / 2 + 0.5);
    });
  }

  // Runs too short to be told apart are drawn once for all that share their pixels.
  #runs(pen, asOf) {
    const bar = Math.max(5, this.lane - 12);
    const covered = this.agents.map(() => -1);
    for (const run of this.stage.log.runs.values()) {
      const place = this.lanes.get(run.agent);
      if (place === undefined || run.beganSeq > asOf || run.beganAt > this.high) continue;
      const open = run.endedSeq === null || run.endedSeq > asOf;
      const until = open ? Math.min(this.high, this.#asOfTime(asOf)) : run.endedAt;
      const failed = !open && run.reason === "failed";
      const x = Math.max(this.left, this.#x(run.beganAt));
      const end = Math.min(this.left + this.width, Math.max(this.#x(until), x + 2));
      if (until < this.low || (end <= covered[place] && !failed)) continue;
      const from = Math.max(x, covered[place]);
      covered[place] = Math.max(covered[place], Math.ceil(end));
      const box = { x: failed ? x : from, y: place * this.lane + (this.lane - bar) / 2, wide: Math.max(2, end - from), bar };
      pen.globalAlpha = failed ? 0.2 : 0.42;
      pen.fillStyle = this.#colour(place);
      bars(pen, box);
      pen.globalAlpha = 1;
      if (failed) hatch(pen, box, this.tone.bad);
    }
  }

  #asOfTime(asOf) {
    const { log } = this.stage;
    return asOf === Infinity ? this.whole[1] : (log.message(asOf)?.at ?? this.low);
  }

  #messages(pen, asOf) {
    const all = marks(this.stage.log, { lanes: this.lanes, low: this.low, high: this.high, width: this.width, asOf });
    const dots = all.length < 700;
    for (const [i, { x, lane, count }] of all.entries()) {
      const close = [all[i - 1], all[i + 1]].some((other) => other?.lane === lane && Math.abs(other.x - x) < 7);
      pen.fillStyle = this.#colour(lane);
      const middle = lane * this.lane + this.lane / 2;
      if (!dots || close) {
        const tall = Math.min(this.lane - 4, 4 + Math.log2(count + 1) * 3);
        pen.fillRect(this.left + x - 1, middle - tall / 2, 2, tall);
        continue;
      }
      const size = Math.min(this.lane / 2 - 2, 3 + Math.log2(count) * 0.8);
      pen.beginPath();
      pen.arc(this.left + x, middle, size, 0, 2 * Math.PI);
      pen.fill();
      pen.lineWidth = 1.2;
      pen.strokeStyle = this.tone.ground;
      pen.stroke();
    }
  }

  #cursor(pen, asOf, height) {
    if (asOf === Infinity) return;
    const x = Math.round(this.#x(this.#asOfTime(asOf))) + 0.5;
    pen.strokeStyle = this.tone.brand;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, height);
    pen.stroke();
  }

  #times(outer) {
    const pen = sheet(this.axis, outer, AXIS);
    pen.font = `10.5px ${this.tone.font}`;
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    pen.fillStyle = this.tone.quiet;
    if (this.stage.log.messages.length + this.stage.log.runs.size === 0) return;
    const { step, found } = ticks(this.low, this.high, Math.max(2, this.width / 90));
    for (const at of found) {
      const x = this.#x(at);
      pen.fillRect(Math.round(x), 0, 1, 4);
      if (x > this.left + 26 && x < outer - 32) pen.fillText(tickLabel(at, step), x, 12);
    }
  }

  #hover(event) {
    const place = Math.floor(event.offsetY / this.lane);
    const from = this.agents?.[place]?.id;
    if (from === undefined || event.offsetX < this.left) return this.#point(null);
    const per = (this.high - this.low) / this.width;
    const at = this.low + (event.offsetX - this.left) * per;
    return this.#point(nearest(this.stage.log, { at, within: NEAR * per, from, asOf: this.stage.asOf }) ?? null);
  }

  /** Show one message: its text, and lines to those who heard it. */
  #point(message) {
    this.pointed = message;
    const pen = sheet(this.over, this.scroll.clientWidth, this.lanesBox.clientHeight);
    this.tip.hidden = !message;
    if (!message) return;
    const { log } = this.stage;
    const x = this.#x(message.at);
    const y = (id) => (this.lanes.get(id) + 0.5) * this.lane;
    pen.strokeStyle = pen.fillStyle = this.tone.ink;
    pen.lineWidth = 1;
    for (const id of log.receivers(message).filter((each) => this.lanes.has(each))) {
      pen.beginPath();
      pen.moveTo(x, y(message.from));
      pen.lineTo(x, y(id));
      pen.stroke();
      pen.beginPath();
      pen.arc(x, y(id), 3, 0, 2 * Math.PI);
      pen.fill();
    }
    this.stage.texts.want([message]);
    this.tip.replaceChildren(h("b", { dir: "auto" }, `${log.label(message.from)} → ${log.label(message.to)}`), h("div", {}, clock(message.at)), h("div", { dir: "auto" }, cut(message.text ?? "", 160)));
    const left = Math.min(Math.max(0, x + 10), Math.max(0, this.scroll.clientWidth - this.tip.offsetWidth - 6));
    const below = y(message.from) + 10;
    const top = below + this.tip.offsetHeight > this.lanesBox.clientHeight ? Math.max(0, y(message.from) - this.tip.offsetHeight - 10) : below;
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  destroy() {
    this.sized.disconnect();
  }
}
