/** Keys: those pressed in a view stay in it, and a list is one stop of the Tab key. */

const STEPS = new Map([["ArrowDown", 1], ["ArrowUp", -1], ["Home", -Infinity], ["End", Infinity]]);
const SIDE = new Map([["ArrowRight", 1], ["ArrowLeft", -1]]);

/**
 * Keep plain keys from the page around: a notebook takes `b`, `dd`, arrows and Enter for commands about its cells.
 * What is pressed with Ctrl or Cmd goes on to it; AltGr, which says it is both, writes letters.
 * @param {HTMLElement} root
 */
export function keepKeys(root) {
  for (const name of /** @type {const} */ (["keydown", "keyup", "keypress"])) {
    root.addEventListener(name, (event) => {
      const combined = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph");
      if (!combined) event.stopPropagation();
    });
  }
}

/**
 * Make a list one stop of the Tab key: arrows go from entry to entry, and left and right along the buttons of one.
 * @param {HTMLElement|SVGElement} list
 * @param {string} entries a selector of what can be gone to
 * @param {string} [inner] a selector of what lies in an entry
 * @returns {() => void} to be called when entries came or went
 */
export function oneStop(list, entries, inner = "") {
  /** @type {Element|null} */
  let current = null;
  const all = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(entries)]);
  const mark = (/** @type {Element|null} */ wanted) => {
    if (current !== wanted && current?.isConnected) current.setAttribute("tabindex", "-1");
    current = wanted;
    if (current?.getAttribute("tabindex") !== "0") current?.setAttribute("tabindex", "0");
  };
  const refresh = () => {
    for (const one of all()) if (one !== current && one.getAttribute("tabindex") !== "-1") one.setAttribute("tabindex", "-1");
    if (inner) for (const one of list.querySelectorAll(inner)) if (one.getAttribute("tabindex") !== "-1") one.setAttribute("tabindex", "-1");
    mark(current && list.contains(current) ? current : list.querySelector(entries));
  };
  list.addEventListener("focusin", (event) => {
    const entry = /** @type {Element} */ (event.target).closest(entries);
    if (entry && list.contains(entry)) mark(entry);
  });
  list.addEventListener("keydown", (event) => {
    const { key, target, altKey, ctrlKey, metaKey, shiftKey } = /** @type {KeyboardEvent} */ (event);
    if (altKey || ctrlKey || metaKey || shiftKey || !(target instanceof Element) || target.closest("input, textarea, select")) return;
    const entry = target.closest(entries);
    if (!entry || !list.contains(entry)) return;
    const [step, side] = [STEPS.get(key), SIDE.get(key)];
    if (step === undefined && side === undefined) return;
    const found = side !== undefined && inner ? beside(entry, inner, target, side) : stepped(all(), entry, step ?? side ?? 0);
    event.preventDefault();
    found.focus();
  });
  return refresh;
}

/** @param {HTMLElement[]} all @param {Element} from @param {number} by */
function stepped(all, from, by) {
  const at = all.findIndex((one) => one === from);
  return all[Math.min(Math.max(at + by, 0), all.length - 1)];
}

/** The entry itself comes before what lies in it and can be seen. @param {Element} entry @param {string} inner @param {Element} target @param {number} by */
function beside(entry, inner, target, by) {
  const row = /** @type {HTMLElement[]} */ ([entry, ...entry.querySelectorAll(inner)]).filter((one) => one.getClientRects().length > 0);
  return row[Math.min(Math.max(row.findIndex((one) => one === target) + by, 0), row.length - 1)];
}
