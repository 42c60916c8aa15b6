/** Facts and texts of a shared page: they lie in its own script tags, and nothing else is ever asked. */
import { Log } from "../log/log.js";
import { textOf } from "./facts.js";

/**
 * @typedef {import("./facts.js").Source} Source
 * @typedef {import("./facts.js").Answers} Answers
 */

/** @typedef {{from: number, to: number, tag: Element, texts: Promise<ReturnType<typeof textOf>[]>|null}} Part */

/** @implements {Source} */
export class PageSource {
  /** @param {Document|Element} root where the script tags are */
  constructor(root) {
    this.log = new Log();
    this.live = false;
    this.gone = false;
    const found = JSON.parse(root.querySelector("#intercom-facts")?.textContent ?? "{}");
    /** @type {Part[]} */
    this.parts = [...root.querySelectorAll("script.intercom-part")].map((tag) => ({
      from: Number(tag.getAttribute("data-from")),
      to: Number(tag.getAttribute("data-to")),
      tag,
      texts: null,
    }));
    this.log.apply(found.facts ?? found, { reset: true, live: found.live ?? null });
  }

  can() {
    return false;
  }

  /** @param {(change: import("../wire/facts.js").Change) => void} told */
  onFacts(told) {
    return this.log.listen(told);
  }

  hello() {}

  visible() {}

  bye() {}

  close() {}

  /**
   * Answer a question from what lies in the page.
   * @template {keyof Answers} What
   * @param {What} what
   * @param {Record<string, any>} [given]
   * @returns {Promise<Answers[What]>}
   */
  async ask(what, given = {}) {
    return /** @type {Answers[What]} */ (await this.#answer(what, given));
  }

  /** @param {keyof Answers} what @param {Record<string, any>} given */
  async #answer(what, given) {
    if (what === "texts") {
      const found = await this.#between(given.from, given.to);
      return { texts: found.map(({ seq, text }) => [seq, text]) };
    }
    if (what === "text") {
      const [found] = await this.#between(given.seq, given.seq);
      return { text: found?.text ?? this.log.message(given.seq)?.text ?? "" };
    }
    if (what === "search") {
      const wanted = given.text.toLowerCase();
      const found = await this.#between(-Infinity, Infinity);
      return { seqs: found.filter(({ text }) => text.toLowerCase().includes(wanted)).map(({ seq }) => seq) };
    }
    throw new Error("a shared page holds the messages only");
  }

  /** @param {number} first @param {number} last both included */
  async #between(first, last) {
    const parts = this.parts.filter(({ from, to }) => from <= last && to >= first);
    const texts = (await Promise.all(parts.map(decoded))).flat();
    return texts.filter(({ seq }) => seq >= first && seq <= last);
  }
}

/** The texts of a part; unpacked once. @param {Part} part */
function decoded(part) {
  part.texts ??= unpack((part.tag.textContent ?? "").trim());
  return part.texts;
}

/** @param {string} base64 of gzip of JSON */
async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  /** @type {import("./facts.js").TextRow[]} */
  const rows = JSON.parse(await new Response(stream).text());
  return rows.map(textOf);
}
