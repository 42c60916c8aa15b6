/** A text of an agent on the page: always text nodes, long ones folded, links shown but not followed by a single click. */
import { button, h } from "./dom.js";
import { counted, number, sentenceOf } from "./format.js";

/** Longer texts are folded. */
export const FOLD = 1500;
const HEAD = 700;
const MOST_LINKS = 8;
const LINK = /https?:\/\/[^\s<>"'`\u200b-\u200f\u202a-\u202e\u2060-\u2069]+/gi;

/**
 * Show a text that may be long, or cut, or not there yet.
 * @param {HTMLElement} holder its children are replaced
 * @param {{text: string|null, length: number}} message
 * @param {(slow: (sentence: string) => void) => Promise<string>} whole asks for all of it
 */
export function showText(holder, { text, length }, whole) {
  if (text === null) {
    holder.replaceChildren(h("span.icnb-quiet", {}, `… (${counted(length, "character")})`));
    return;
  }
  if (Math.max(text.length, length) <= FOLD) {
    holder.replaceChildren(body(text));
    return;
  }
  const note = h("span.icnb-quiet", { role: "status" });
  const unfold = button(`show all (${number(length)} characters)`, async () => {
    unfold.dispatchEvent(new CustomEvent("icnb-reading", { bubbles: true }));
    unfold.disabled = true;
    try {
      const all = text.length >= length ? text : await whole((sentence) => (note.textContent = ` ${sentence}`));
      holder.replaceChildren(body(all), button("show less", () => showText(holder, { text, length }, whole), SMALL));
    } catch (error) {
      note.textContent = ` ${sentenceOf(error)}`;
      unfold.disabled = false;
    }
  }, SMALL);
  holder.replaceChildren(body(headOf(text)), unfold, note);
}

const SMALL = { class: "icnb-link" };

/** @param {string} text */
function headOf(text) {
  const end = /[\ud800-\udbff]/.test(text[HEAD - 1]) ? HEAD - 1 : HEAD;
  return `${text.slice(0, end)} …`;
}

/** A text with a button behind each address in it. @param {string} text */
export function body(text) {
  const shown = h("div.icnb-text", { dir: "auto" });
  let from = 0;
  let links = 0;
  for (const found of text.matchAll(LINK)) {
    if (links === MOST_LINKS) break;
    links += 1;
    const address = found[0].replace(/[.,;:!?)\]}]+$/, "");
    const end = found.index + address.length;
    shown.append(text.slice(from, end), opener(address));
    from = end;
  }
  shown.append(text.slice(from));
  return shown;
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
