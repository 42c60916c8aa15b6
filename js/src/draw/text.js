/** A text of an agent on the page: text nodes in few kinds of elements, long ones folded, links that ask before they open. */
import { button, copy, h, setText } from "./dom.js";
import { counted, cut, number, sentenceOf } from "./format.js";
import { partsOf } from "./markdown.js";

/** Longer texts are folded. */
export const FOLD = 1500;
const HEAD = 700;
/** Buttons behind addresses, in one text. */
const MOST_LINKS = 8;
const OPENS = /^https?:\/\//i;

/**
 * Show a text that may be long, or cut, or not there yet.
 * @param {HTMLElement} holder its children are replaced
 * @param {{text: string|null, length: number}} message
 * @param {(slow: (sentence: string) => void) => Promise<string>} whole asks for all of it
 * @param {boolean} [written] as it is written, every sign of it
 */
export function showText(holder, { text, length }, whole, written = false) {
  if (text === null) {
    holder.replaceChildren(h("span.icnb-quiet", {}, `… (${counted(length, "character")})`));
    return;
  }
  if (Math.max(text.length, length) <= FOLD) {
    holder.replaceChildren(body(text, written));
    return;
  }
  const note = h("span.icnb-quiet", { role: "status" });
  const unfold = button(`show all (${number(length)} characters)`, async () => {
    unfold.dispatchEvent(new CustomEvent("icnb-reading", { bubbles: true }));
    unfold.disabled = true;
    try {
      const all = text.length >= length ? text : await whole((sentence) => (note.textContent = ` ${sentence}`));
      holder.replaceChildren(body(all, written), button("show less", () => showText(holder, { text, length }, whole, written), SMALL));
    } catch (error) {
      note.textContent = ` ${sentenceOf(error)}`;
      unfold.disabled = false;
    }
  }, SMALL);
  holder.replaceChildren(body(headOf(text), written), unfold, note);
}

const SMALL = { class: "icnb-link" };

/** @param {string} text */
function headOf(text) {
  const end = /[\ud800-\udbff]/.test(text[HEAD - 1]) ? HEAD - 1 : HEAD;
  return `${text.slice(0, end)} …`;
}

/** @typedef {import("./markdown.js").Part} Part */

/** A text, drawn or as it is written. @param {string} text @param {boolean} [written] */
export function body(text, written = false) {
  if (written) return h("div.icnb-text", { dir: "auto" }, text);
  const links = { left: MOST_LINKS };
  return h("div.icnb-text.icnb-drawn", { dir: "auto" }, ...partsOf(text).map((part) => drawn(part, links)));
}

/** What is drawn of each kind of part: only these elements, and none of them has an address or a style. */
/** @type {Record<string, string>} */
const TAGS = { p: "div.icnb-p", em: "em", strong: "strong", s: "s", ul: "ul", ol: "ol", li: "li", table: "table", tr: "tr", th: "th", td: "td", code: "code", blockquote: "blockquote", hr: "hr", br: "br" };

/** @param {Part} part @param {{left: number}} links @returns {Node|string} */
function drawn(part, links) {
  if (typeof part === "string") return part;
  const { kind, children, level, start, address = "", language } = part;
  if (kind === "fence") return fence(String(children[0] ?? ""), language ?? "");
  const inner = children.map((child) => drawn(child, links));
  if (kind === "h") return h("div.icnb-h", { role: "heading", "aria-level": Math.min(6, (level ?? 1) + 2) }, ...inner);
  if (kind === "link") return linked(inner, address, links);
  if (kind === "table") return h("div.icnb-table", { tabindex: "-1" }, h("table", {}, ...inner));
  return h(TAGS[kind], kind === "ol" && start !== 1 ? { start } : { dir: /^(p|li|td|th)$/.test(kind) ? "auto" : false }, ...inner);
}

/** Words with an address, which is shown, and opened only by a button that asks. @param {(Node|string)[]} words @param {string} address @param {{left: number}} links */
function linked(words, address, links) {
  const same = words.length === 1 && words[0] === address;
  const shown = same ? [] : [" (", h("bdi", { dir: "ltr" }, cut(address, 200)), ")"];
  const opens = OPENS.test(address) && links.left > 0;
  if (opens) links.left -= 1;
  return h("span.icnb-linked", {}, ...words, ...shown, opens ? opener(address) : null);
}

/** Lines of code, with a button that copies them. @param {string} code @param {string} language */
function fence(code, language) {
  const copied = button("copy", async () => {
    setText(copied, (await copy(code)) ? "copied" : "not copied");
    setTimeout(() => setText(copied, "copy"), 1200);
  }, { class: "icnb-link icnb-copy", "aria-live": "polite" });
  return h("div.icnb-fence", {}, h("div.icnb-fence-head", {}, h("span", {}, cut(language, 24)), copied), h("pre", { dir: "ltr" }, code));
}

/** A small button that shows the whole address and asks before it opens it. @param {string} address */
function opener(address) {
  const place = h("span.icnb-opener");
  const ask = button("open link", () => {
    const yes = button("open", () => {
      h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }).click();
      place.replaceChildren(ask);
    });
    const no = button("cancel", () => {
      place.replaceChildren(ask);
      ask.focus();
    });
    place.replaceChildren(h("span.icnb-ask", {}, "Open ", h("bdi", { dir: "ltr" }, address), "? ", yes, " ", no));
    no.focus();
  }, { class: "icnb-link icnb-open", "aria-label": `open link ${address.slice(0, 200)}` });
  place.append(ask);
  return place;
}
