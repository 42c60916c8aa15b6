/** The small legend below the graph. */
import { h, s, setText } from "../draw/dom.js";
import { number } from "../draw/format.js";
import { allStatuses, statusIcon, tone } from "../draw/icons.js";

/** @returns {{el: HTMLElement, update: (shown: {silent: boolean, group: boolean, left: number, of: string}) => void}} */
export function legend() {
  const direct = key(s("line", { x1: 1, y1: 6, x2: 23, y2: 6, class: "icnb-key-line" }), "direct");
  const group = key(s("line", { x1: 1, y1: 6, x2: 23, y2: 6, class: "icnb-key-line icnb-key-group" }), "in a group");
  const silent = key(s("circle", { cx: 12, cy: 6, r: 5, class: "icnb-key-silent" }), "never addressed");
  const left = h("span");
  const of = h("span.icnb-of");
  const shapes = h(
    "details.icnb-shapes",
    {},
    h("summary", {}, "signs"),
    h("div", {}, ...allStatuses().map(([name, says]) => h(`span.icnb-status.icnb-${tone(name)}`, {}, statusIcon(name), says))),
  );
  // It covers the graph: it closes when it is left.
  shapes.addEventListener("pointerleave", () => (shapes.open = false));
  shapes.addEventListener("focusout", () => (shapes.open = false));
  return {
    el: h("div.icnb-legend", { "aria-label": "Legend" }, of, direct, group, silent, left, shapes),
    update(shown) {
      setText(of, shown.of);
      group.hidden = !shown.group;
      silent.hidden = !shown.silent;
      setText(left, shown.left ? `${number(shown.left)} thinner ones not drawn` : "");
    },
  };
}

/** @param {SVGElement} drawing @param {string} says */
function key(drawing, says) {
  return h("span.icnb-key", {}, s("svg", { viewBox: "0 0 24 12", width: 24, height: 12, "aria-hidden": "true" }, drawing), says);
}
