/** The entry for anywidget. It is called once for each widget, so that all its displays share one source and one log. */
import { mount } from "./dashboard.js";
import { KernelSource } from "./wire/source.js";

export function widget() {
  /** @type {KernelSource|null} */
  let source = null;
  return {
    initialize({ model }) {
      source ??= new KernelSource(model);
      return () => source?.close();
    },
    render({ model, el }) {
      source ??= new KernelSource(model);
      return mount(source, el, { part: model.get("part") || "dashboard", focus: model.get("focus") || "" });
    },
  };
}
