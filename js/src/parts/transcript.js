/** The transcript: a window of rows over all that pass, which follows the end until somebody scrolls up. */
import { button, h, setAttribute, setText } from "../draw/dom.js";
import { Filters } from "./filters.js";
import { counted, number, sentenceOf } from "../draw/format.js";
import { oneStop } from "../keys.js";
import { countUpTo } from "../log/log.js";
import { newer, newest, older, Rows } from "../log/rows.js";
import { row } from "./row.js";
import { Beginning } from "./beginning.js";
import { Drafts } from "./drafts.js";

const NEAR = 24;
const AHEAD = 240;
/** What was unfolded may scroll into view meanwhile without that being a wish to follow the end. */
const SETTLES_MS = 1000;
/** So many are looked through at once for rows that pass a filter. */
const ALL_THROUGH = 5000;

export class Transcript {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 90;
    this.rows = new Rows(stage.log);
    this.span = { start: 0, end: 0 };
    this.following = true;
    this.unseen = 0;
    this.readAt = -Infinity;
    this.shown = "";
    this.known = this.placed = 0;
    /** @type {Map<string, string>} */
    this.labels = new Map();
    this.filters = new Filters(stage, () => this.#refilter(), () => this.#refreshTexts(true));
    this.list = h("div.icnb-rows", { role: "log", "aria-label": "Messages", "aria-live": "off", onscroll: () => this.#scrolled() });
    this.list.addEventListener("icnb-reading", () => this.#read());
    this.arrange = oneStop(this.list, ".icnb-row, .icnb-event", "button");
    this.empty = h("p.icnb-empty");
    this.jump = button("", () => this.#follow(), { class: "icnb-button icnb-jump", hidden: true });
    this.more = button("", () => this.#older(), { class: "icnb-link" });
    this.earlier = h("div.icnb-earlier", { hidden: true }, this.more);
    this.drafts = new Drafts(stage);
    this.beginning = new Beginning(stage);
    this.el = h(
      "section.icnb-part.icnb-transcript",
      { "data-part": "transcript", "aria-label": "Transcript" },
      this.filters.el,
      this.earlier,
      h("div.icnb-scroll", {}, this.list, this.empty, this.beginning.el, this.jump),
      this.drafts.el,
    );
    this.sized = new ResizeObserver(() => this.following && this.#toEnd());
    this.sized.observe(this.list);
  }

  get total() {
    return this.rows.total(this.stage.asOf);
  }

  /** @param {import("../stage.js").Seen} change */
  update(change) {
    if (change.chosen || change.reset || change.moment) {
      const same = JSON.stringify([this.stage.chosen, this.stage.person, this.stage.asOf]);
      if (change.chosen || change.reset) this.rows.refilter(this.filters.filter);
      else this.rows.grow();
      if (same !== this.shown || change.reset) this.following = true;
      this.shown = same;
      this.unseen = 0;
      this.#show(newest(this.total), true);
    } else if (change.messages || change.reordered) this.#grown();
    if (change.agents && this.#renamed()) this.#show(this.span, true);
    if (change.texts) this.#refreshTexts();
    this.filters.update(this.rows);
    this.drafts.update();
    this.beginning.update();
    this.#note();
  }

  #renamed() {
    const { log } = this.stage;
    const before = this.labels;
    this.labels = new Map([...log.agents.keys(), ...log.chats.keys()].map((id) => [id, log.label(id)]));
    return [...before].some(([id, label]) => this.labels.get(id) !== label);
  }

  #refilter() {
    this.rows.refilter(this.filters.filter);
    this.following = true;
    this.unseen = 0;
    this.#show(newest(this.total), true);
    this.filters.update(this.rows);
    this.#note();
  }

  #grown() {
    const before = this.rows.messages;
    const first = this.rows.all[this.span.start]?.seq;
    const anew = this.rows.grow();
    const { total } = this;
    if (this.following) this.#show(newest(total), anew);
    else {
      if (this.stage.now && !anew) this.unseen += Math.max(0, this.rows.messages - before);
      if (anew) this.#stay(first, total);
    }
  }

  /** The same rows are looked at, although others came before them. @param {number|undefined} first seq of the first one @param {number} total */
  #stay(first, total) {
    const start = first === undefined ? 0 : Math.max(0, countUpTo(this.rows.all, first) - 1);
    const span = { start: Math.min(start, total), end: Math.min(start + this.span.end - this.span.start, total) };
    this.#show(span, true);
    if (this.list.scrollTop < AHEAD && span.start > 0) this.#show(older(span));
  }

  /** Bring in what lies before the first row; a person waits for it, or scrolls on. */
  #older() {
    this.following = false;
    this.more.disabled = true;
    const { filter } = this.filters;
    const most = filter.agent || filter.chat || filter.person || filter.search ? ALL_THROUGH : undefined;
    this.stage.older.more(most).catch((error) => setText(this.more, sentenceOf(error))).finally(() => (this.more.disabled = false));
  }

  /** The rows on the page. */
  get #onPage() {
    return /** @type {import("./row.js").Row[]} */ ([...this.list.children]);
  }

  /** Put a span of rows on the page, touching only those that come or go. @param {import("../log/rows.js").Span} span */
  #show(span, anew = false) {
    this.known = this.total;
    const kept = anew ? { start: span.start, end: span.start } : this.span;
    const apart = span.start >= kept.end || span.end <= kept.start;
    const focused = this.list.contains(document.activeElement);
    this.#keepPlace(() => {
      if (anew || apart) {
        this.list.replaceChildren(this.#made(span.start, span.end));
      } else {
        for (let i = kept.start; i < Math.min(span.start, kept.end); i++) this.list.firstElementChild?.remove();
        for (let i = kept.end; i > Math.max(span.end, kept.start); i--) this.list.lastElementChild?.remove();
        if (span.start < kept.start) this.list.prepend(this.#made(span.start, kept.start));
        if (span.end > kept.end) this.list.append(this.#made(kept.end, span.end));
      }
      this.span = span;
    });
    this.arrange();
    if (focused && !this.list.contains(document.activeElement)) this.#focusLast();
  }

  /** @param {number} from @param {number} to */
  #made(from, to) {
    const lines = this.rows.all.slice(from, to);
    this.stage.texts.want(lines.filter((line) => line.event === null));
    const made = document.createDocumentFragment();
    for (const line of lines) made.append(row(line, this.stage));
    return made;
  }

  /** @param {boolean} [all] */
  #refreshTexts(all = false) {
    const stale = this.#onPage.filter(({ line, shownText }) => line.event === null && (all || shownText !== line.text));
    if (stale.length) this.#keepPlace(() => stale.forEach((made) => made.refresh()));
    this.arrange();
  }

  /** Do something to the rows; what was looked at stays where it is. @param {() => void} change */
  #keepPlace(change) {
    if (this.following) {
      change();
      this.#toEnd();
      return;
    }
    const top = this.list.getBoundingClientRect().top;
    const anchor = this.#onPage.find((made) => made.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top ?? 0;
    const seq = anchor?.line.seq;
    change();
    const still = anchor?.isConnected ? anchor : this.#onPage.find((made) => made.line.seq === seq);
    if (still) this.list.scrollTop += still.getBoundingClientRect().top - before;
  }

  #toEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    this.placed = this.list.scrollTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    const below = scrollHeight - clientHeight - scrollTop;
    const atEnd = this.span.end >= this.known;
    if (this.following && (below <= NEAR || scrollTop >= this.placed - 1)) return;
    this.following = below <= NEAR && atEnd && performance.now() - this.readAt > SETTLES_MS;
    if (this.following) {
      this.unseen = 0;
      this.#show(newest(this.total));
    } else if (scrollTop < AHEAD && this.span.start > 0) this.#show(older(this.span));
    else if (scrollTop < AHEAD && this.stage.log.before && this.stage.now) this.#older();
    else if (below < AHEAD && this.span.end < this.total) this.#show(newer(this.span, this.total));
    this.#note();
  }

  /** Somebody unfolded something: what they read stays where it is. */
  #read() {
    this.following = false;
    this.readAt = performance.now();
    this.#note();
  }

  #follow() {
    this.following = true;
    this.unseen = 0;
    this.#show(newest(this.total));
    this.#note();
    this.#focusLast();
  }

  #focusLast() {
    this.#onPage.at(-1)?.focus({ preventScroll: true });
  }

  #note() {
    const { log } = this.stage;
    setAttribute(this.el, "data-total", log.total);
    this.earlier.hidden = !log.before || this.span.start > 0;
    if (log.before && !this.more.disabled) setText(this.more, `${number(log.before.messages)} older messages ↑`);
    setAttribute(this.el, "data-shown", this.rows.messages);
    setAttribute(this.el, "data-following", this.following);
    this.jump.hidden = this.following;
    setText(this.jump, this.unseen ? `${counted(this.unseen, "new message")} ↓` : "latest ↓");
    this.empty.hidden = this.total > 0 || !this.beginning.el.hidden;
    const none = log.total ? "no message passes these filters" : "no message yet";
    setText(this.empty, this.stage.asOf === Infinity ? none : "no message had been sent yet");
  }

  destroy() {
    this.sized.disconnect();
  }
}
