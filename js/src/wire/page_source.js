/** Facts and texts of a shared page: they lie in its own script tags, and nothing else is ever asked. */
import { Log } from "../log/log.js";

export class PageSource {
  /** @param {Document|Element} root where the script tags are */
  constructor(root) {
    this.log = new Log();
    this.live = false;
    this.gone = false;
    const found = JSON.parse(root.querySelector("#intercom-facts").textContent);
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

  /** @param {(change: import("../log/log.js").Change) => void} told */
  onFacts(told) {
    return this.log.listen(told);
  }

  hello() {}

  visible() {}

  bye() {}

  close() {}

  /** Answer a question from what lies in the page. @param {string} what @param {any} given @returns {Promise<any>} */
  async ask(what, given = {}) {
    if (what === "texts") {
      const parts = this.parts.filter(({ from, to }) => from <= given.to && to >= given.from);
      const texts = (await Promise.all(parts.map(decoded))).flat();
      return { texts: texts.filter(([seq]) => seq >= given.from && seq <= given.to) };
    }
    if (what === "text") {
      const parts = this.parts.filter(({ from, to }) => from <= given.seq && to >= given.seq);
      const texts = (await Promise.all(parts.map(decoded))).flat();
      const found = texts.find(([seq]) => seq === given.seq);
      return { text: found?.[1] ?? this.log.message(given.seq)?.text ?? "" };
    }
    if (what === "search") {
      const wanted = given.text.toLowerCase();
      const texts = (await Promise.all(this.parts.map(decoded))).flat();
      return { seqs: texts.filter(([, text]) => text.toLowerCase().includes(wanted)).map(([seq]) => seq) };
    }
    throw new Error("a shared page holds the messages only");
  }
}

/** The texts of a part; unpacked once. @returns {Promise<[number, string][]>} */
function decoded(part) {
  part.texts ??= unpack(part.tag.textContent.trim());
  return part.texts;
}

/** @param {string} base64 of gzip of JSON */
async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}
