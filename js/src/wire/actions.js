/** Asks the kernel to do something, and says in one line how that went. */
import { h, setText } from "../draw/dom.js";
import { sentenceOf } from "../draw/format.js";

export class Outcome {
  /** @param {import("./facts.js").Source} source */
  constructor(source) {
    this.source = source;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.el = h("p.icnb-outcome", { role: "status", "aria-live": "polite", hidden: true });
  }

  /**
   * Do something; what failed is said and stays until the next time.
   * @param {string} action
   * @param {Record<string, any>} [given]
   * @returns {Promise<boolean>} whether it was done
   */
  async do(action, given = {}) {
    this.say("");
    try {
      const { ok, sentence } = await this.source.ask("do", { action, ...given }, (slow) => this.say(slow));
      this.say(sentence ?? "", !ok);
      return Boolean(ok);
    } catch (error) {
      this.say(sentenceOf(error), true);
      return false;
    }
  }

  /** @param {string} sentence @param {boolean} [bad] */
  say(sentence, bad = false) {
    clearTimeout(this.timer);
    this.el.hidden = !sentence;
    this.el.classList.toggle("icnb-failed", bad);
    setText(this.el, sentence);
    if (sentence && !bad) this.timer = setTimeout(() => this.say(""), 6000);
  }
}
