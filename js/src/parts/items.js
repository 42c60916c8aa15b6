/** What an agent thought and did: items of a run or of a conversation, as a list of small entries. */
import { h } from "../draw/dom.js";
import { cut, sentenceOf } from "../draw/format.js";
import { showText } from "../draw/text.js";

const LONG = 20_000;

/** @typedef {import("../wire/facts.js").Item} Item */

/**
 * Show items once an answer brings them.
 * @param {HTMLElement} holder its children are replaced
 * @param {(slow: import("../wire/facts.js").Slow) => Promise<{items: Item[]}>} ask
 * @param {string} empty said if there are none
 */
export async function showItems(holder, ask, empty) {
  const note = h("p.icnb-quiet", { role: "status" }, "…");
  holder.replaceChildren(note);
  try {
    const { items } = await ask((sentence) => (note.textContent = sentence));
    if (items?.length) holder.replaceChildren(...items.map(entry));
    else note.textContent = empty;
  } catch (error) {
    note.textContent = sentenceOf(error);
  }
}

/** @param {Item} item */
function entry(item) {
  const type = String(item.type ?? "");
  if (item.name !== undefined && item.name !== null) {
    return h(
      "div.icnb-item.icnb-call",
      {},
      h("div.icnb-code", { dir: "auto" }, h("b", {}, cut(String(item.name), 200)), `(${asLine(item.arguments)})`),
      item.output === undefined || item.output === null ? null : h("div.icnb-code.icnb-output", { dir: "auto" }, `→ ${asLine(item.output)}`),
    );
  }
  const text = h("div");
  const full = asLine(item.text ?? item.output ?? "");
  showText(text, { text: full, length: full.length }, async () => full);
  const of = /reason|thought/.test(type) ? "icnb-thought" : /user/.test(type) ? "icnb-user" : "icnb-said";
  return h(`div.icnb-item.${of}`, {}, h("span.icnb-kind", {}, worded(type)), text);
}

/** @param {string} type */
function worded(type) {
  /** @type {Record<string, string>} */
  const words = { user: "was told", assistant: "thought", message: "thought", reasoning: "reasoned", function_call_output: "answer of a tool" };
  return words[type] ?? (type ? cut(type.replaceAll("_", " "), 40) : "text");
}

/** @param {unknown} value */
function asLine(value) {
  if (value === undefined || value === null) return "";
  return cut(typeof value === "string" ? value : JSON.stringify(value), LONG);
}
