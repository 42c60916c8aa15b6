/** Brings in rows that lie before the first one, a portion at a time, as somebody looks for them. */

const PORTION = 500;
/** So many at once on the way to a place far back. */
const STRIDE = 5000;

export class Older {
  /** @param {Pick<import("../wire/facts.js").Source, "log"|"ask">} source */
  constructor(source) {
    this.source = source;
    /** @type {Promise<void>|null} */
    this.asking = null;
  }

  /** Bring in some more; nothing if there is nothing before, or they are on their way. @param {number} [most] */
  more(most = PORTION) {
    this.asking ??= this.#ask(most).finally(() => (this.asking = null));
    return this.asking;
  }

  /** Bring in more until something holds, or all is there. @param {() => boolean} reached */
  async until(reached) {
    while (this.source.log.before && !reached()) {
      const { seq } = this.source.log.before;
      await this.more(STRIDE);
      if (this.source.log.before?.seq === seq) return;
    }
  }

  /** @param {number} most */
  async #ask(most) {
    const { log } = this.source;
    const seq = log.before?.seq;
    if (seq === undefined) return;
    const { facts, before } = await this.source.ask("older", { seq, most });
    if (log.before?.seq === seq) log.apply(facts, { before }); // else all of it began anew meanwhile
  }
}
