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
    /** Whether older messages are on their way. */
    this.fetching = false;
    this.range = h("input.icnb-range", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Message up to which the log is shown", oninput: () => this.#moved() });
    this.says = h("span.icnb-says", { role: "status" });
    this.play = button("", () => this.#playing(!this.timer), { "aria-label": "play" });
    this.back = button("Live", () => this.#live(), { title: "show what is now" });
    this.look = button("Look back", () => this.#open(Boolean(this.inner.hidden)), { "aria-expanded": "false" });
    this.inner = h("div.icnb-slide", {}, this.play, this.range, this.says, this.back);
    this.el = h("div.icnb-slider", { "data-part": "slider" }, this.look, this.inner);
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
    const { log } = this.stage;
    const k = Number(this.range.value);
    const known = k - (log.before?.messages ?? 0);
    if (k >= log.total) this.stage.showMoment(Infinity);
    else if (known > 0) this.stage.showMoment(log.messages[known - 1].seq);
    else if (!log.before) this.stage.showMoment((log.messages[0]?.seq ?? 1) - 1);
    else this.#fetch();
    this.#label();
  }

  /** Bring in what is needed to show the moment that was chosen, then show whatever is chosen by then. */
  async #fetch() {
    if (this.fetching) return;
    this.fetching = true;
    try {
      await this.stage.older.until(() => Number(this.range.value) > (this.stage.log.before?.messages ?? 0));
    } catch {
      this.#live();
      return;
    } finally {
      this.fetching = false;
    }
    this.#moved();
  }

  /** @param {boolean} on */
  #playing(on) {
    clearInterval(this.timer);
    this.timer = 0;
    if (on) {
      if (this.stage.now) this.range.value = "0";
      const by = Math.max(1, Math.ceil(this.stage.log.total / PLAY_STEPS));
      this.timer = setInterval(() => {
        if (this.fetching) return;
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
    const all = number(log.total);
    const message = log.messages[k - 1 - (log.before?.messages ?? 0)];
    const at = message ? ` · ${clock(message.at)}` : "";
    const live = this.stage.source.live ? "live" : `all ${all} messages`;
    setText(this.says, this.fetching ? "fetching older messages …" : now ? live : `message ${number(k)} of ${all}${at}`);
    setAttribute(this.range, "aria-valuetext", this.says.textContent);
    this.back.hidden = now || !this.stage.source.live;
    this.el.classList.toggle("icnb-past", !now);
    setAttribute(this.el, "data-message", now ? log.total : k);
  }

  /** @param {import("../stage.js").Seen} _change */
  update(_change) {
    const { now, log } = this.stage;
    setAttribute(this.range, "max", log.total);
    if (now && !this.fetching) this.range.value = String(log.total);
    this.range.disabled = this.play.disabled = log.total === 0;
    setAttribute(this.el, "data-total", log.total);
    this.#label();
  }

  destroy() {
    clearInterval(this.timer);
  }
}
