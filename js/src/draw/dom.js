/** Elements, made without a line of HTML: what agents wrote can only ever become a text node. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node|string|number|null|undefined|false} Child */
/** @template {string} Tag @typedef {Tag extends `${infer Name}.${string}` ? Name : Tag} NameOf what stands before the classes */
/** @template {string} Tag @typedef {NameOf<Tag> extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[NameOf<Tag>] : HTMLElement} Html */
/** @template {string} Tag @typedef {NameOf<Tag> extends keyof SVGElementTagNameMap ? SVGElementTagNameMap[NameOf<Tag>] : SVGElement} Svg */

/**
 * Make an element. Properties that start with "on" are listeners; the others are attributes, and false or null leaves one out.
 * @template {string} Tag
 * @param {Tag} tag with classes: "div.row.new"
 * @param {Record<string, any>} [given]
 * @param {...Child} children strings become text nodes
 * @returns {Html<Tag>}
 */
export function h(tag, given = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return /** @type {Html<Tag>} */ (fill(document.createElement(name), classes, given, children));
}

/** The same in SVG. @template {string} Tag @param {Tag} tag @param {Record<string, any>} [given] @param {...Child} children @returns {Svg<Tag>} */
export function s(tag, given = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return /** @type {Svg<Tag>} */ (fill(/** @type {SVGElement} */ (document.createElementNS(SVG, name)), classes, given, children));
}

/** @param {HTMLElement|SVGElement} element @param {string[]} classes @param {Record<string, any>} given @param {Child[]} children */
function fill(element, classes, given, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(given)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, said] of Object.entries(/** @type {Record<string, string>} */ (value))) element.style.setProperty(name, said);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(/** @type {Node|string} */ (child));
  return element;
}

/** Set a node's text, and touch the page only if it differs. @param {Node} node @param {string|number} text */
export function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Set an attribute, and touch the page only if it differs. @param {Element} node @param {string} name @param {any} given */
export function setAttribute(node, name, given) {
  const value = typeof given === "boolean" && /^(aria|data)-/.test(name) ? String(given) : given;
  if (value === false || value === null || value === undefined) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else {
    const wanted = value === true ? "" : String(value);
    if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
  }
}

/** A text of somebody else's, kept from reordering what stands around it. @param {string} text @param {string} [tag] */
export function said(text, tag = "bdi") {
  return h(tag, { dir: "auto" }, text);
}

let ids = 0;

/** An id no other element on the page has. @param {string} stem */
export function freshId(stem) {
  ids += 1;
  return `icnb-${stem}-${ids}-${Math.random().toString(36).slice(2, 10)}`;
}

/** A button. @param {string} label @param {() => void} press @param {Record<string, any>} [given] */
export function button(label, press, given = {}) {
  return h("button.icnb-button", { type: "button", onclick: press, ...given }, label);
}

/** Make an option list, keeping what was chosen. @param {HTMLSelectElement} select @param {[string, string][]} options */
export function setOptions(select, options) {
  const key = JSON.stringify(options);
  if (select.dataset.options === key) return;
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, label]) => h("option", { value }, label)));
  select.dataset.options = key;
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

/** Whether somebody asked for little movement. */
export function calm() {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
}

/** Put a text on the clipboard; the old way where the new one is forbidden. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { style: { position: "fixed", opacity: "0" }, "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
