/** The bar above the transcript: whose messages, which chat, which words, and the viewer's inbox. */
import { button, h, setAttribute, setOptions, setText } from "../draw/dom.js";
import { number, sentenceOf } from "../draw/format.js";
import { Inbox } from "../log/past.js";

const TYPING_MS = 250;

export class Filters {
  /** @param {import("../stage.js").Stage} stage @param {() => void} changed @param {() => void} rewritten texts look otherwise */
  constructor(stage, changed, rewritten) {
    this.stage = stage;
    this.changed = changed;
    this.rewritten = rewritten;
    this.search = "";
    /** @type {Set<number>|null} */
    this.found = null;
    /** @type {Map<string, string>|null} the labels that the lists were made with */
    this.listed = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.typing = undefined;
    this.mail = new Inbox(stage.log);
    this.agent = h("select.icnb-select", { "aria-label": "Whose messages", onchange: () => stage.choose({ agent: this.agent.value, chat: this.chat.value }) });
    this.chat = h("select.icnb-select", { "aria-label": "Which chat", onchange: () => stage.choose({ agent: this.agent.value, chat: this.chat.value }) });
    this.words = h("input.icnb-input", { type: "search", placeholder: "Search", "aria-label": "Search messages", oninput: () => this.#typed() });
    this.inbox = button("Inbox", () => this.#openInbox(), { "aria-pressed": "false", title: "messages to you" });
    this.written = button("", () => this.#write(), { "aria-pressed": "false", "aria-label": "As written", title: "show every sign of a text instead of drawing its Markdown" });
    this.written.append(h("span.icnb-long", {}, "As written"), h("span.icnb-short", {}, "¶"));
    this.count = h("span.icnb-quiet.icnb-count", { role: "status", "aria-live": "polite" });
    const focused = Boolean(stage.focus);
    this.el = h("div.icnb-filters", { role: "search" }, focused ? null : this.agent, focused ? null : this.chat, this.words, this.inbox, this.written, this.count);
  }

  /** What passes. @returns {import("../log/rows.js").Filter} */
  get filter() {
    const { stage } = this;
    const given = { search: this.search, found: this.found };
    if (stage.focus) return stage.log.chats.has(stage.focus) ? { ...given, chat: stage.focus } : { ...given, agent: stage.focus };
    if (stage.chosen.inbox) return { ...given, person: stage.person };
    return { ...given, agent: stage.chosen.agent, chat: stage.chosen.chat };
  }

  #typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.#look(), TYPING_MS);
  }

  async #look() {
    const wanted = this.words.value.trim();
    if (wanted === this.search) return;
    this.search = wanted;
    this.found = null;
    this.changed();
    if (!wanted) return;
    /** @type {number[]} */
    let seqs;
    try {
      ({ seqs } = await this.stage.source.ask("search", { text: wanted }, (sentence) => setText(this.count, sentence)));
      if (this.search === wanted) this.found = new Set(seqs);
      else return;
    } catch (error) {
      setText(this.count, sentenceOf(error));
      return;
    }
    this.changed();
    // What was found far back is brought in, for it is to be shown.
    const first = seqs[0] ?? Infinity;
    this.stage.older.until(() => this.search !== wanted || (this.stage.log.before?.seq ?? 0) <= first).catch(() => {});
  }

  #write() {
    const { stage } = this;
    stage.written = !stage.written;
    setAttribute(this.written, "aria-pressed", stage.written);
    this.written.classList.toggle("icnb-on", stage.written);
    this.rewritten();
  }

  #openInbox() {
    const { stage } = this;
    stage.choose({ inbox: !stage.chosen.inbox });
    stage.inboxSeen = stage.log.lastSeq;
    this.changed();
  }

  /** Bring lists and counts up to date. @param {import("../log/rows.js").Rows} rows */
  update(rows) {
    const { stage } = this;
    const { log, chosen } = stage;
    /** @type {(all: Iterable<{id: string}>) => [string, string][]} */
    const names = (all) => [...all].map(({ id }) => [id, log.label(id)]);
    if (log.labels === null || !this.listed || this.listed !== log.labels) {
      setOptions(this.agent, [["", "everybody"], ...names(log.agents.values())]);
      setOptions(this.chat, [["", "all chats"], ...names(log.chats.values())]);
      this.listed = log.labels;
    }
    this.agent.value = chosen.agent;
    this.chat.value = chosen.chat;
    this.chat.hidden = log.chats.size === 0;
    const people = stage.people();
    this.inbox.hidden = people.length === 0 || Boolean(stage.focus);
    if (!this.inbox.hidden) {
      stage.person ||= people[0];
      if (chosen.inbox) stage.inboxSeen = log.lastSeq;
      const fresh = this.mail.count(stage.person, stage.inboxSeen);
      setText(this.inbox, fresh ? `Inbox (${number(fresh)} new)` : "Inbox");
      setAttribute(this.inbox, "aria-pressed", chosen.inbox);
      this.inbox.classList.toggle("icnb-on", chosen.inbox);
      this.inbox.classList.toggle("icnb-fresh", fresh > 0);
    }
    const limited = rows.messages < log.messages.length;
    const all = number(log.total);
    setText(this.count, limited ? `${number(rows.messages)} of ${all}` : "");
  }
}
