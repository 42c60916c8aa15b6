/** The entry for a shared page: the same views, fed by what lies in the page itself. */
import { mount } from "./dashboard.js";
import { PageSource } from "./wire/page_source.js";

/**
 * Draw the dashboard of a shared page.
 * @param {HTMLElement} root may say data-part, data-focus and data-title
 * @returns {() => void}
 */
export function mountPage(root) {
  document.documentElement.classList.add("icnb-root");
  const { part, focus, title } = root.dataset;
  return mount(new PageSource(document), root, { part, focus, title: title || document.title, page: true });
}
