/** Brings in the texts of messages whose facts came without, a range at a time, only as they are to be shown. */

import { countUpTo } from "./log.js";

const AT_ONCE = 500;

export class Texts {
  /** @param {Pick<import("../wire/facts.js").Source, "log"|"ask">} source */
  constructor(source) {
    this.source = source;
    /** @type {Set<number>} */
    this.asked = new Set();
  }

  /** See to it that these messages get their texts. @param {import("../wire/facts.js").Message[]} messages by seq */
  want(messages) {
    const missing = messages.filter((message) => message.text === null && !this.asked.has(message.seq));
    for (let i = 0; i < missing.length; ) {
      const first = missing[i].seq;
      const range = [];
      // Between the first and the last of a range lie other messages too, which the answer holds as well.
      const known = this.source.log.messages;
      let at = countUpTo(known, first) - 1;
      const end = at + AT_ONCE;
      while (i < missing.length && at < end && at < known.length) {
        if (known[at] === missing[i]) range.push(missing[i++].seq);
        at += 1;
      }
      this.#ask(first, range.at(-1) ?? first, range);
    }
  }

  /** @param {number} from @param {number} to @param {number[]} seqs */
  async #ask(from, to, seqs) {
    for (const seq of seqs) this.asked.add(seq);
    try {
      const { texts } = await this.source.ask("texts", { from, to });
      this.source.log.setTexts(texts ?? []);
    } catch {
      // Asked again when they are next shown; the rows say meanwhile that their text is not there.
    }
    for (const seq of seqs) this.asked.delete(seq);
  }
}
