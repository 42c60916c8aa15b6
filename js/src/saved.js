/**
 * What a notebook keeps of a view. In JupyterLab and Notebook 7 its output is a picture alone, and the live view stands
 * before it: so the notebook never needs the widget to be shown, and a new picture touches nothing that is alive.
 */

const WIDGET = "application/vnd.jupyter.widget-view+json";
const PICTURE = "image/png";
const ADDRESS = "data:image/png;base64,";
/** Where the mark lies in the base64 of a picture, after its first 33 bytes: views/stored.py puts it there. */
const [FROM, LENGTH] = [44, 80];
const WORD = "tEXtintercom_nb\0";
/** A view that is off the page for so long is let go; scrolled into sight again, it begins anew. */
const GONE_MS = 300_000;
const OUTPUT = ".jp-OutputArea-child";

/**
 * @typedef {{data: Record<string, any>, metadata?: unknown, toJSON: () => any}} Output
 * @typedef {{length: number, get: (n: number) => Output, set: (n: number, output: any) => void}} Outputs
 * @typedef {{model?: {cells?: Iterable<{outputs?: Outputs}>}, saveState?: {connect: (told: (_: unknown, state: string) => void) => void}}} Notebook
 * @typedef {{root: HTMLElement, unmount: () => void, left: ReturnType<typeof setTimeout>|0}} Live
 */

export class Saved {
  /**
   * @param {string} mark of the view's pictures
   * @param {Notebook|undefined} notebook the document that the page has open, where there is one
   * @param {(el: HTMLElement) => () => void} draw draws the live view into an element
   */
  constructor(mark, notebook, draw) {
    this.mark = mark;
    this.notebook = notebook;
    this.draw = draw;
    /** @type {Map<Element, Live>} by the output that each stands in */
    this.live = new Map();
    /** @type {Live|null} a view on its way from one output to the next */
    this.waiting = null;
    this.observer = new MutationObserver((changes) => this.#changed(changes));
    notebook?.saveState?.connect((_, state) => state === "started" && this.#leavePictures());
  }

  /** Whether the page has a notebook whose outputs can be set. */
  get possible() {
    return Boolean(this.mark && this.notebook?.model?.cells);
  }

  /** Put the live view before every picture of it, and before those that come. */
  begin() {
    if (!this.possible) return;
    this.observer.observe(document.body, { childList: true, subtree: true });
    for (const picture of document.querySelectorAll("img")) this.#enliven(picture);
  }

  /**
   * A live view was drawn where its output asked for the widget: leave the picture there, and move the view before it.
   * @param {HTMLElement} root @param {() => void} unmount
   * @returns {boolean} whether it is no longer where it was drawn
   */
  take(root, unmount) {
    const area = root.closest(".jp-OutputArea");
    const place = area ? [...area.children].indexOf(/** @type {Element} */ (root.closest(OUTPUT))) : -1;
    if (!this.possible || !area || place < 0) return false;
    root.remove();
    this.waiting = { root, unmount, left: 0 };
    this.#leavePictures();
    this.#enliven(area.children[place]?.querySelector("img"));
    if (this.waiting) unmount(); // its picture comes later, and gets a view of its own then
    this.waiting = null;
    return true;
  }

  /** A new picture came. @param {string} png in base64 */
  renew(png) {
    this.#each((outputs, n, output) => {
      const told = output.toJSON();
      if (this.#isOurs(told.data)) outputs.set(n, { ...told, data: { ...bare(told.data), [PICTURE]: png } });
    });
  }

  /** Let the outputs hold their pictures only, whatever was there to show the view with. */
  #leavePictures() {
    this.#each((outputs, n, output) => {
      const told = output.toJSON();
      if (told.data?.[WIDGET] && this.#isOurs(told.data)) outputs.set(n, { ...told, data: bare(told.data) });
    });
  }

  /** @param {(outputs: Outputs, n: number, output: Output) => void} look */
  #each(look) {
    for (const { outputs } of this.notebook?.model?.cells ?? []) {
      for (let n = 0; n < (outputs?.length ?? 0); n++) if (outputs) look(outputs, n, outputs.get(n));
    }
  }

  /** @param {Record<string, any>|undefined} data */
  #isOurs(data) {
    const png = data?.[PICTURE];
    return markOf(Array.isArray(png) ? png.join("") : png) === this.mark;
  }

  /** @param {MutationRecord[]} changes */
  #changed(changes) {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) {
        if (!(node instanceof Element)) continue;
        if (node.matches("img")) this.#enliven(node);
        else for (const picture of node.querySelectorAll("img")) this.#enliven(picture);
      }
    }
    for (const [output, live] of this.live) {
      if (output.isConnected) {
        clearTimeout(live.left);
        live.left = 0;
      } else live.left ||= setTimeout(() => this.#letGo(output), GONE_MS);
    }
  }

  /** @param {Element|null|undefined} picture */
  #enliven(picture) {
    if (!(picture instanceof HTMLImageElement) || !picture.src.startsWith(ADDRESS)) return;
    const output = picture.closest(OUTPUT);
    if (!output || markOf(picture.src.slice(ADDRESS.length, ADDRESS.length + FROM + LENGTH)) !== this.mark) return;
    const shown = /** @type {HTMLElement|null} */ (picture.closest(".jp-OutputArea-output")) ?? picture;
    shown.style.display = "none";
    if (this.live.has(output)) return;
    const { waiting } = this;
    this.waiting = null;
    const host = waiting?.root ?? document.createElement("div");
    host.style.flex = "1 1 auto";
    host.style.minWidth = "0";
    output.append(host);
    this.live.set(output, waiting ?? { root: host, unmount: this.draw(host), left: 0 });
  }

  /** @param {Element} output */
  #letGo(output) {
    const live = this.live.get(output);
    this.live.delete(output);
    live?.unmount();
    live?.root.remove();
  }

  /** The view was closed: nothing of it stays on the page. */
  close() {
    this.observer.disconnect();
    for (const output of [...this.live.keys()]) this.#letGo(output);
  }
}

/** @param {Record<string, any>} data */
function bare(data) {
  const { [WIDGET]: _, ...left } = data;
  return left;
}

/** Whose picture it is; an empty text for anybody's. @param {unknown} png its beginning, in base64 */
export function markOf(png) {
  if (typeof png !== "string" || png.length < FROM + LENGTH) return "";
  try {
    const found = atob(png.slice(FROM, FROM + LENGTH));
    const at = found.indexOf(WORD);
    return at < 0 ? "" : found.slice(at + WORD.length, at + WORD.length + 32);
  } catch {
    return "";
  }
}
