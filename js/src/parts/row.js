/** One row of the transcript: a message, or a small grey line for an event. */
import { button, copy, h, said, setText } from "../draw/dom.js";
import { clock, cut, dateAndClock } from "../draw/format.js";
import { intervenes } from "../log/rows.js";
import { showItems } from "./items.js";
import { showText } from "../draw/text.js";

const GRAVE = /fail|limit|stopped|error|refus/;

/**
 * @typedef {import("../stage.js").Stage} Stage
 * @typedef {import("../wire/facts.js").Message} Message
 * @typedef {HTMLElement & {line: import("../wire/facts.js").Line, shownText?: string|null, refresh: () => void}} Row
 */

/** @param {import("../wire/facts.js").Line} line @param {Stage} stage @returns {Row} */
export function row(line, stage) {
  return line.event === null ? messageRow(line, stage) : eventRow(line);
}

/** @param {import("../wire/facts.js").Happening} line @returns {Row} */
function eventRow(line) {
  const kind = GRAVE.test(line.event) ? ".icnb-grave" : intervenes(line) ? ".icnb-done" : "";
  const made = h(
    `div.icnb-event${kind}`,
    { role: "article", tabindex: "-1", "data-seq": line.seq, "data-event": line.event, title: line.data ? cut(line.data, 1000) : false },
    h("time", { title: dateAndClock(line.at) }, clock(line.at)),
    said(cut(String(line.text ?? line.event), 400), "span"),
  );
  return Object.assign(made, { line, refresh: () => {} });
}

/** @param {Message} line @param {Stage} stage @returns {Row} */
function messageRow(line, stage) {
  const { log } = stage;
  const from = log.label(line.from);
  const to = log.label(line.to);
  const group = log.chats.has(line.to);
  const holder = h("div.icnb-said-text");
  const made = /** @type {Row} */ (h(
    "article.icnb-row",
    {
      tabindex: "-1",
      "data-seq": line.seq,
      "data-agent": line.from ?? "",
      "data-to": line.to,
      "aria-label": `${from} to ${to}`,
      style: { "--own": log.colour(line.from) },
    },
    h(
      "header",
      {},
      h(`b.icnb-name${line.from === null ? ".icnb-program" : ""}`, {}, said(from)),
      h("span.icnb-arrow", { "aria-hidden": "true" }, "→"),
      receiver(line.to, to, group, log),
      h("span.icnb-gap"),
      h("time", { title: dateAndClock(line.at), datetime: new Date(line.at).toISOString() }, clock(line.at).slice(0, 5), h("span.icnb-seconds", {}, clock(line.at).slice(5))),
      idButton(line.id),
      line.run && stage.source.can("run") ? runButton(line, stage, () => made) : null,
    ),
    holder,
  ));
  made.line = line;
  made.refresh = () => {
    made.shownText = line.text;
    showText(holder, line, async (slow) => (await stage.source.ask("text", { seq: line.seq }, slow)).text, stage.written);
  };
  made.refresh();
  return made;
}

/** @param {string} id @param {string} label @param {boolean} group @param {import("../log/log.js").Log} log */
function receiver(id, label, group, log) {
  if (group) return h("span.icnb-chat", { "data-chat": id }, said(label));
  return h("span.icnb-to", { style: { "--own": log.colour(id) } }, said(label));
}

/** @param {string} id */
function idButton(id) {
  const made = button(cut(id, 16), async () => {
    const done = await copy(id);
    setText(made, done ? "copied" : "not copied");
    setTimeout(() => setText(made, cut(id, 16)), 1200);
  }, { class: "icnb-link icnb-id", title: "copy this message's id", "aria-label": `copy id ${cut(id, 40)}`, "aria-live": "polite" });
  return made;
}

/** @param {Message} line @param {Stage} stage @param {() => Element} whole the row that unfolds */
function runButton(line, stage, whole) {
  /** @type {HTMLElement|null} */
  let shown = null;
  const made = button("▸ run", () => {
    if (shown) {
      shown.remove();
      shown = null;
    } else {
      shown = h("div.icnb-items", { "data-run": line.run });
      whole().append(shown);
      const ask = (/** @type {import("../wire/facts.js").Slow} */ slow) => stage.source.ask("run", { run: line.run }, slow);
      showItems(shown, ask, "no thought or tool call was kept").then(() => shown?.scrollIntoView({ block: "nearest" }));
      made.dispatchEvent(new CustomEvent("icnb-reading", { bubbles: true }));
    }
    setText(made, shown ? "▾ run" : "▸ run");
    made.setAttribute("aria-expanded", String(shown !== null));
  }, { class: "icnb-link", "aria-expanded": "false", title: "thoughts and tool calls of the run that sent this" });
  return made;
}
