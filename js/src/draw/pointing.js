/** What a pointer does to the graph: tips beside what it points at, and nodes that are dragged. */
import { h } from "./dom.js";

/** Show lines beside a drawn thing, inside its panel. @param {HTMLElement} tip @param {HTMLElement} panel @param {Element} thing @param {string[]} lines */
export function showTip(tip, panel, thing, [first, ...rest]) {
  tip.replaceChildren(h("b", { dir: "auto" }, first), ...rest.map((line) => h("div", { dir: "auto" }, line)));
  tip.hidden = false;
  const box = thing.getBoundingClientRect();
  const around = panel.getBoundingClientRect();
  const inside = (/** @type {number} */ at, /** @type {number} */ room) => Math.min(Math.max(4, at), Math.max(4, room));
  const left = inside(box.left + box.width / 2 - around.left + 14, around.width - tip.offsetWidth - 4);
  const top = inside(box.top + box.height / 2 - around.top + 14, around.height - tip.offsetHeight - 4);
  tip.style.transform = `translate(${left}px, ${top}px)`;
}

/** Let a thing be dragged. @param {SVGElement} thing @param {(event: PointerEvent) => void} moved @param {() => void} released */
export function draggable(thing, moved, released) {
  thing.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    thing.setPointerCapture(event.pointerId);
    thing.addEventListener("pointermove", moved);
    const up = () => {
      thing.removeEventListener("pointermove", moved);
      released();
    };
    for (const name of ["pointerup", "pointercancel"]) thing.addEventListener(name, up, { once: true });
  });
}
