/**
 * Where facts come from and questions go to: a kernel here, a page's own script tags in page_source.js. Both share one
 * `Log` among all views they feed, and both answer to the same names.
 */
import { Log } from "../log/log.js";

/**
 * @typedef {import("./facts.js").Source} Source
 * @typedef {{get: (name: string) => any, send: (content: object) => void, on: (name: string, told: (content: any) => void) => void,
 *   off: (name: string, told: (content: any) => void) => void, widget_manager?: any}} Model an anywidget model
 * @typedef {{n?: number, reset?: boolean, facts?: import("./facts.js").Facts, live?: import("./facts.js").Live|null,
 *   before?: import("./facts.js").BeforeRow|null}} Batch
 * @typedef {{resolve: (answer: any) => void, reject: (error: Error) => void, timer: ReturnType<typeof setTimeout>}} Waiting
 */

/** How long a question may stay open before somebody is told why. */
export const SLOW_MS = 2000;
export const SLOW = "the kernel is busy; this happens once its cell ends";
export const GONE = "the kernel is gone: this is what was known until then, and nothing can be changed any more";

/** Facts and answers of a kernel, by the custom messages of a widget's model. @implements {Source} */
export class KernelSource {
  /** @param {Model} model one per widget, however often it is displayed */
  constructor(model) {
    this.model = model;
    this.log = new Log();
    this.gone = false;
    /** @type {Map<string, boolean>} whether each can be seen */
    this.views = new Map();
    /** @type {Map<number, Waiting>} */
    this.open = new Map();
    this.asked = 0;
    /** @type {number|null} */
    this.batch = null;
    this.askedAgain = 0;
    /** @type {(() => void)|null} told once that there is a kernel */
    this.here = null;
    /** @type {(png: string) => void} */
    this.saved = () => {};
    this.end = () => this.#lost();
    this.hear = (/** @type {any} */ content) => this.#hear(content ?? {});
    model.on("msg:custom", this.hear);
    model.on("comm:close", this.end);
    model.on("destroy", this.end);
  }

  get live() {
    return Boolean(this.model.get("live"));
  }

  /** What may be asked here. @param {"run"|"conversation"|"do"} what */
  can(what) {
    return !this.gone && (what !== "do" || this.live);
  }

  /** @param {(change: import("../wire/facts.js").Change) => void} told */
  onFacts(told) {
    return this.log.listen(told);
  }

  /** Ask whether a kernel is there. @param {() => void} told once it says so */
  probe(told) {
    this.here = told;
    this.#send({ kind: "probe" });
  }

  /** @param {(png: string) => void} told of each new picture of the view, in base64 */
  onSaved(told) {
    this.saved = told;
  }

  /** A view was rendered. @param {string} view */
  hello(view) {
    this.views.set(view, true);
    this.#send({ kind: "hello", view, seq: this.log.lastSeq, visible: true });
  }

  /** @param {string} view @param {boolean} visible */
  visible(view, visible) {
    if (this.views.get(view) === visible) return;
    this.views.set(view, visible);
    this.#send({ kind: "visible", view, visible });
  }

  /** @param {string} view */
  bye(view) {
    if (this.views.delete(view)) this.#send({ kind: "bye", view });
  }

  /**
   * Ask the kernel.
   * @template {keyof import("./facts.js").Answers} What
   * @param {What} what
   * @param {Record<string, unknown>} [given]
   * @param {import("./facts.js").Slow} [slow] called once if no answer came within two seconds; it is still awaited
   * @returns {Promise<import("./facts.js").Answers[What]>} the answer; rejected with its sentence if there is none
   */
  ask(what, given = {}, slow = () => {}) {
    if (this.gone) return Promise.reject(new Error(GONE));
    this.asked += 1;
    const id = this.asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => slow(SLOW), SLOW_MS);
      this.open.set(id, { resolve, reject, timer });
      this.#send({ ...given, kind: "ask", id, what });
    });
  }

  /** @param {any} content */
  #hear(content) {
    if (content.kind === "facts") this.#facts(content);
    if (content.kind === "answer") this.#answer(content);
    if (content.kind === "saved") this.saved(content.png);
    if (content.kind === "here") {
      this.here?.();
      this.here = null;
    }
  }

  /** @param {Batch} batch */
  #facts({ n, reset, facts, live, before }) {
    // A gap in the numbers means that a batch was lost on its way: ask for what is new since the last one that came.
    const lost = !reset && this.batch !== null && (n ?? 0) > this.batch + 1;
    const since = this.log.lastSeq;
    this.batch = n ?? null;
    this.log.apply(facts ?? {}, { reset: Boolean(reset), live: live ?? null, before });
    const view = this.views.keys().next().value;
    if (lost && view !== undefined && Date.now() - this.askedAgain > 2000) {
      this.askedAgain = Date.now();
      this.#send({ kind: "hello", view, seq: since, visible: this.views.get(view) });
    }
  }

  /** @param {{id: number, error?: string}} content */
  #answer(content) {
    const waiting = this.open.get(content.id);
    if (!waiting) return;
    this.open.delete(content.id);
    clearTimeout(waiting.timer);
    if (content.error) waiting.reject(new Error(content.error));
    else waiting.resolve(content);
  }

  /** @param {object} content */
  #send(content) {
    if (this.gone) return;
    try {
      this.model.send(content);
    } catch {
      this.#lost();
    }
  }

  #lost() {
    if (this.gone) return;
    this.gone = true;
    for (const { reject, timer } of this.open.values()) {
      clearTimeout(timer);
      reject(new Error(GONE));
    }
    this.open.clear();
    this.log.tell({ gone: true, live: true });
  }

  /** Let go of the model. */
  close() {
    this.#lost();
    this.model.off("msg:custom", this.hear);
    this.model.off("comm:close", this.end);
    this.model.off("destroy", this.end);
  }
}
