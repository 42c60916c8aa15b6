/** The entry for anywidget. It is called once for each widget, so that all its displays share one source and one log. */
import { mount } from "./dashboard.js";
import { Saved } from "./saved.js";
import { KernelSource } from "./wire/source.js";

/** @typedef {import("./wire/source.js").Model} Model */

export function widget() {
  /** @type {{source: KernelSource, saved: Saved, draw: (el: HTMLElement) => () => void}|null} */
  let made = null;

  /** @param {Model} model */
  function make(model) {
    const source = new KernelSource(model);
    const given = { part: model.get("part") || "dashboard", focus: model.get("focus") || "" };
    const draw = (/** @type {HTMLElement} */ el) => mount(source, el, given);
    const saved = new Saved(model.get("mark") ?? "", model.widget_manager?.context, draw);
    source.onSaved((png) => saved.renew(png));
    model.on("destroy", () => saved.close());
    // A page that is opened again has the pictures only; whether a kernel is behind them, the kernel itself tells.
    source.probe(() => saved.begin());
    return { source, saved, draw };
  }

  return {
    /** @param {{model: Model}} given */
    initialize({ model }) {
      made ??= make(model);
      return () => made?.source.close();
    },
    /** @param {{model: Model, el: HTMLElement}} given */
    render({ model, el }) {
      made ??= make(model);
      const { saved, draw } = made;
      const host = document.createElement("div");
      const unmount = draw(host);
      el.append(host);
      let moved = false;
      const placed = new ResizeObserver(() => {
        placed.disconnect();
        moved = true; // first: its old place is cleared meanwhile
        moved = saved.take(host, unmount);
      });
      placed.observe(host);
      return () => {
        placed.disconnect();
        if (!moved) unmount();
      };
    },
  };
}
