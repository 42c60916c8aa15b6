/** What was spent, against what may be: the nearest limit as a bar, all of them on demand. */
import { h, setAttribute, setText } from "../draw/dom.js";
import { duration, money, number } from "../draw/format.js";

/**
 * @typedef {import("../wire/facts.js").Measure} Measure
 * @typedef {import("../wire/facts.js").Amounts} Amounts
 */

/** @type {Measure[]} */
const NAMES = ["runs", "messages", "tokens", "usd", "seconds"];
/** @type {Partial<Record<Measure, string>>} */
const SAYS = { usd: "money", seconds: "time at work" };

/** @param {Measure} name @param {number|null|undefined} value */
export function amount(name, value) {
  if (value === null || value === undefined) return name === "usd" ? "price unknown" : "–";
  if (name === "usd") return money(value);
  return name === "seconds" ? duration(value) : number(value);
}

/**
 * The limits that were set, the most exhausted one first.
 * @param {Amounts} spent
 * @param {Amounts} limits
 */
export function exhausted(spent, limits) {
  return NAMES.map((name) => ({ name, spent: spent[name], limit: limits[name] ?? 0 }))
    .filter(({ limit }) => limit > 0)
    .map((one) => ({ ...one, share: Math.min(1, (one.spent ?? 0) / one.limit) }))
    .sort((a, b) => b.share - a.share);
}

export class Budget {
  constructor() {
    this.line = h("span.icnb-budget-line");
    this.filled = h("span");
    this.bar = h("span.icnb-bar", { role: "meter", "aria-valuemin": 0, "aria-valuemax": 100 }, this.filled);
    this.all = h("div.icnb-limits");
    this.el = h("details.icnb-budget", {}, h("summary", { title: "what was spent, and every limit" }, this.line, this.bar), this.all);
  }

  /** @param {import("../wire/facts.js").Service|null} service */
  update(service) {
    this.el.hidden = !service;
    if (!service) return;
    const spent = service.spent ?? {};
    const limits = service.limits ?? {};
    const [first] = exhausted(spent, limits);
    const shown = NAMES.filter((name) => spent[name] !== undefined);
    const cost = spent.usd === null ? "price unknown" : money(spent.usd ?? null);
    setText(this.line, `${number(spent.messages ?? 0)} messages · ${number(spent.runs ?? 0)} runs · ${number(spent.tokens ?? 0)} tokens · ${cost}`);
    this.bar.hidden = !first;
    if (first) {
      const percent = Math.round(first.share * 100);
      this.filled.style.width = `${Math.max(first.share > 0 ? 2 : 0, first.share * 100)}%`;
      this.bar.classList.toggle("icnb-nearly", first.share >= 0.8);
      this.bar.classList.toggle("icnb-full", first.share >= 1);
      setAttribute(this.bar, "aria-valuenow", percent);
      setAttribute(this.bar, "aria-label", `${SAYS[first.name] ?? first.name}: ${amount(first.name, first.spent)} of ${amount(first.name, first.limit)}`);
      setAttribute(this.bar, "title", `nearest limit: ${SAYS[first.name] ?? first.name}, ${percent} % of ${amount(first.name, first.limit)}`);
    }
    if (shown.length * 3 !== this.all.childElementCount) this.all.replaceChildren(...shown.flatMap(() => [h("span"), h("span"), h("span")]));
    shown.forEach((name, i) => {
      setText(this.all.children[i * 3], SAYS[name] ?? name);
      setText(this.all.children[i * 3 + 1], amount(name, spent[name]));
      setText(this.all.children[i * 3 + 2], typeof limits[name] === "number" ? `of ${amount(name, limits[name])}` : "no limit");
    });
  }
}
