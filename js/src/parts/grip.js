/** The handle below transcript and graph: dragged, or moved by arrow keys, it changes how high they are. */
import { h, setAttribute } from "../draw/dom.js";

const [LEAST, MOST, STEP] = [260, 1600, 20];

/** @param {HTMLElement} board whose height it sets @param {HTMLElement} measured what is as high */
export function grip(board, measured) {
  /** @type {{y: number, tall: number}|null} */
  let held = null;
  const set = (/** @type {number} */ wanted) => {
    const tall = Math.round(Math.min(Math.max(wanted, LEAST), MOST));
    board.style.setProperty("--tall", `${tall}px`);
    setAttribute(made, "aria-valuenow", tall);
  };
  const made = h("div.icnb-grip", {
    role: "separator",
    tabindex: "0",
    title: "drag to change the height; double click for the usual one",
    "aria-label": "Height",
    "aria-orientation": "horizontal",
    "aria-valuemin": LEAST,
    "aria-valuemax": MOST,
    "aria-valuenow": LEAST,
    onpointerdown: (/** @type {PointerEvent} */ event) => {
      held = { y: event.clientY, tall: measured.offsetHeight };
      made.setPointerCapture(event.pointerId);
    },
    onpointermove: (/** @type {PointerEvent} */ event) => held && set(held.tall + event.clientY - held.y),
    onpointerup: () => (held = null),
    onpointercancel: () => (held = null),
    ondblclick: () => board.style.removeProperty("--tall"),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      const by = event.key === "ArrowDown" ? STEP : event.key === "ArrowUp" ? -STEP : 0;
      if (!by) return;
      event.preventDefault();
      set(measured.offsetHeight + by);
    },
  });
  return made;
}
