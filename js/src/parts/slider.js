/** The slider over all messages: the log as it stood after each of them. */
import { button, h, setAttribute, setText } from "../draw/dom.js";
import { clock, number } from "../draw/format.js";
import { icon, SHAPES } from "../draw/icons.js";

const PLAY_MS = 500;
const PLAY_STEPS = 120;

export class Slider {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 250;
    /** @type {ReturnType<typeof setInterval>|0} */
    this.timer = 0;
    this.range = h("input.icnb-range", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Message up to which the log is shown", oninput: () => this.#moved() });
    this.says = h("span.icnb-says", { role: "status" });
    this.play = button("", () => this.#playing(!this.timer), { "aria-label": "play" });
    this.back = button("Live", () => this.#live(), { title: "show what is now" });
    this.look = button("Look back", () => this.#open(Boolean(this.inner.hidden)), { "aria-expanded": "false" });
    this.inner = h("div.icnb-slide", {}, this.play, this.range, this.says, this.back);
    this.el = h("footer.icnb-slider", { "data-part": "slider" }, this.look, this.inner);
    this.inner.hidden = stage.source.live;
    this.look.hidden = !stage.source.live;
    this.#icon();
  }

  /** @param {boolean} open */
  #open(open) {
    this.inner.hidden = !open;
    setAttribute(this.look, "aria-expanded", String(open));
    if (!open) this.#live();
  }

  #live() {
    this.#playing(false);
    this.range.value = this.range.max;
    this.stage.showMoment(Infinity);
    this.#label();
  }

  #moved() {
    const { messages } = this.stage.log;
    const k = Number(this.range.value);
    const now = k >= messages.length;
    this.stage.showMoment(now ? Infinity : k === 0 ? (messages[0]?.seq ?? 1) - 1 : messages[k - 1].seq);
    this.#label();
  }

  /** @param {boolean} on */
  #playing(on) {
    clearInterval(this.timer);
    this.timer = 0;
    if (on) {
      if (this.stage.now) this.range.value = "0";
      const by = Math.max(1, Math.ceil(this.stage.log.messages.length / PLAY_STEPS));
      this.timer = setInterval(() => {
        this.range.value = String(Number(this.range.value) + by);
        this.#moved();
        if (this.stage.now) this.#playing(false);
      }, PLAY_MS);
      this.#moved();
    }
    this.#icon();
  }

  #icon() {
    this.play.replaceChildren(icon(this.timer ? SHAPES.pause : SHAPES.play));
    setAttribute(this.play, "aria-label", this.timer ? "hold" : "play from the start");
  }

  #label() {
    const { log, now } = this.stage;
    const k = Number(this.range.value);
    const all = number(log.messages.length);
    const at = k > 0 ? ` · ${clock(log.messages[k - 1]?.at ?? 0)}` : "";
    const live = this.stage.source.live ? "live" : `all ${all} messages`;
    setText(this.says, now ? live : `message ${number(k)} of ${all}${at}`);
    setAttribute(this.range, "aria-valuetext", this.says.textContent);
    this.back.hidden = now || !this.stage.source.live;
    this.el.classList.toggle("icnb-past", !now);
    setAttribute(this.el, "data-message", now ? log.messages.length : k);
  }

  /** @param {import("../stage.js").Seen} _change */
  update(_change) {
    const { now, log } = this.stage;
    setAttribute(this.range, "max", log.messages.length);
    if (now) this.range.value = String(log.messages.length);
    this.range.disabled = this.play.disabled = log.messages.length === 0;
    setAttribute(this.el, "data-total", log.messages.length);
    this.#label();
  }

  destroy() {
    clearInterval(this.timer);
  }
}
