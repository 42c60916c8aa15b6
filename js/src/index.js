export { mountPage } from "./page.js";
export { widget as default } from "./widget.js";
