/** The entry for anywidget. It is called once for each widget, so that all its displays share one source and one log. */
import { mount } from "./dashboard.js";
import { KernelSource } from "./wire/source.js";

/** @typedef {import("./wire/source.js").Model} Model */

export function widget() {
  /** @type {KernelSource|null} */
  let source = null;
  return {
    /** @param {{model: Model}} given */
    initialize({ model }) {
      source ??= new KernelSource(model);
      return () => source?.close();
    },
    /** @param {{model: Model, el: HTMLElement}} given */
    render({ model, el }) {
      source ??= new KernelSource(model);
      return mount(source, el, { part: model.get("part") || "dashboard", focus: model.get("focus") || "" });
    },
  };
}
