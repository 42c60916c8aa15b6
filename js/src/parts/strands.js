/** The strands of the graph: one for each pair that talks, direct and in groups apart, the widest of them. */
import { strand, strokeWidth } from "../draw/strokes.js";
import { calm, s, setAttribute } from "../draw/dom.js";

/** More strands than this are not drawn: the thinnest are left out, and the legend says so. */
const MOST_STRANDS = 250;
const FLASHES = 8;
const AGAIN_MS = 1500;
/** When so many came at once, nobody could follow the flashes. */
const MANY = 20;

/**
 * @typedef {import("../log/edges.js").Edge} Edge
 * @typedef {"direct"|"group"} Kind
 * @typedef {{edge: Edge, kind: Kind, count: number, level: number, key: string}} Wanted
 * @typedef {{g: SVGGElement, path: SVGPathElement, head: SVGPathElement, wide: SVGPathElement, kind: Kind, edge: Edge,
 *   both: boolean, width: number, flashed: number, strength: string}} Strand
 * @typedef {{radius: number, font: number, crowd: boolean, head: number, longest: number}} Looks
 */

/** @type {Kind[]} */
const KINDS = ["direct", "group"];

export class Strands {
  /**
   * @param {SVGGElement} layer where they are drawn
   * @param {import("../log/log.js").Log} log
   * @param {(strand: Strand) => void} added is told of each new one
   */
  constructor(layer, log, added) {
    this.layer = layer;
    this.log = log;
    this.added = added;
    /** @type {Map<string, Strand>} */
    this.drawn = new Map();
    /** How many were left out. */
    this.left = 0;
  }

  /** Draw the widest of these; true if the picture has to be painted again. @param {Edge[]} edges @param {Looks} looks */
  set(edges, looks) {
    const all = edges.flatMap((edge) => KINDS.filter((kind) => edge[kind] > 0).map((kind) => wanted(edge, kind)));
    // Of two about as wide, the one that is drawn already stays.
    all.sort((a, b) => b.level - a.level || Number(this.drawn.has(b.key)) - Number(this.drawn.has(a.key)));
    const most = 2 ** ((all[0]?.level ?? 0) / 2);
    const kept = all.slice(0, MOST_STRANDS);
    this.left = all.length - kept.length;
    let repaint = false;
    for (const one of kept) if (this.#setOne(one, looks, most)) repaint = true;
    const keys = new Set(kept.map(({ key }) => key));
    for (const [key, made] of this.drawn) {
      if (keys.has(key)) continue;
      made.g.remove();
      this.drawn.delete(key);
    }
    return repaint;
  }

  /** @param {Wanted} wanted @param {Looks} looks @param {number} most messages on one strand */
  #setOne({ edge, kind, count, key }, { crowd }, most) {
    const made = this.drawn.get(key) ?? this.#added(key, edge, kind);
    made.edge = edge;
    made.both = edge.direct > 0 && edge.group > 0;
    const share = Math.min(1, Math.log2(count + 1) / Math.log2(most + 1));
    const strength = crowd ? (0.06 + 0.7 * share ** 3).toFixed(1) : "0.8";
    if (strength !== made.strength) made.g.style.setProperty("--strength", (made.strength = strength));
    setAttribute(made.g, "data-count", count);
    const width = Math.round(strokeWidth(count, crowd ? 0.6 : 1) * 4) / 4;
    // A little more width is drawn with the next that is worth it: each change draws the whole picture again.
    if (Math.abs(made.width - width) < (crowd ? 0.7 : 0.25)) return false;
    setAttribute(made.path, "stroke-width", width);
    made.width = width;
    return true;
  }

  /** @param {string} key @param {Edge} edge @param {Kind} kind */
  #added(key, edge, kind) {
    const path = s("path.icnb-line");
    const head = s("path.icnb-tipline");
    const wide = s("path.icnb-wide");
    const g = s(`g.icnb-strand.icnb-${kind}`, { "data-from": edge.from, "data-to": edge.to, style: { "--own": this.log.colour(edge.from) } }, wide, path, head);
    this.layer.append(g);
    /** @type {Strand} */
    const made = { g, path, head, wide, kind, edge, both: false, width: -Infinity, flashed: 0, strength: "" };
    this.drawn.set(key, made);
    this.added(made);
    return made;
  }

  /** Draw them between their nodes. @param {Map<string, {sx: number, sy: number}>} nodes @param {Looks} looks */
  paint(nodes, { radius, head, crowd }) {
    for (const { path, head: tip, wide, kind, edge, both, width } of this.drawn.values()) {
      const a = nodes.get(edge.from);
      const b = nodes.get(edge.to);
      if (!a || !b) continue;
      const apart = both && kind === "group" ? width + strokeWidth(edge.direct, crowd ? 0.6 : 1) + 8 : 0;
      const drawn = strand(a, b, { radius, bend: 5 + apart, head, width });
      setAttribute(path, "d", drawn.line);
      setAttribute(tip, "d", drawn.head);
      setAttribute(wide, "d", drawn.line);
    }
  }

  /** Show which are those of one node. @param {string|null} id */
  light(id) {
    for (const { g, edge } of this.drawn.values()) g.classList.toggle("icnb-lit", edge.from === id || edge.to === id);
  }

  /** Flash those that carried something. @param {number} since a seq @param {number} came how many messages @param {boolean} crowd */
  flash(since, came, crowd) {
    if (calm()) return;
    let left = came > MANY ? (crowd ? 0 : 2) : FLASHES;
    const time = performance.now();
    for (const made of this.drawn.values()) {
      if (made.edge.last <= since || left === 0 || time - made.flashed < AGAIN_MS) continue;
      left -= 1;
      made.flashed = time;
      const width = Number(made.path.getAttribute("stroke-width"));
      made.path.animate([{ strokeWidth: `${width + 4}px` }, { strokeWidth: `${width}px` }], { duration: 500, easing: "ease-out" });
    }
  }
}

/** @param {Edge} edge @param {Kind} kind @returns {Wanted} */
function wanted(edge, kind) {
  const count = edge[kind];
  return { edge, kind, count, level: Math.round(Math.log2(count) * 2), key: `${kind}\n${edge.from}\n${edge.to}` };
}
