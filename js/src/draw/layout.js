/** Where the nodes of the graph lie: d3-force for the forces, no chance in it, and places kept when somebody comes in. */
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from "d3-force";

const GOLDEN = Math.PI * (3 - Math.sqrt(5));
const STRETCH = 2.2;
const SPREAD = 40;
/** With more nodes than this the graph is drawn as a crowd: small, faded, and moved rarely. */
export const CROWD = 25;

/**
 * @typedef {{id: string, x: number, y: number, fx?: number|null, fy?: number|null, sx: number, sy: number}} Node sx, sy: in the panel
 * @typedef {{source: string|Node, target: string|Node}} Link by ids, until d3-force puts nodes in their place
 * @typedef {{x: number, y: number, apartX: number, apartY: number}} Margin room at the rims, and between two nodes
 */

export class Layout {
  constructor() {
    /** @type {Map<string, Node>} */
    this.nodes = new Map();
    this.pairs = "";
    this.laid = { ids: 0, pairs: 0 };
    /** @type {Map<string, number>} with how many others each is linked */
    this.degree = new Map();
    /** Whether somebody drags a node. */
    this.held = false;
    const links = /** @type {Link[]} */ ([]);
    this.links = forceLink(links).id((node) => /** @type {Node} */ (node).id);
    this.simulation = forceSimulation(/** @type {Node[]} */ ([]))
      .force("charge", forceManyBody().strength(-620).distanceMax(620))
      .force("links", this.links.distance(110).strength(({ source, target }) => 0.45 / Math.min(this.#degreeOf(source), this.#degreeOf(target))))
      .force("x", /** @type {import("d3-force").ForceX<Node>} */ (forceX(0)).strength((node) => (this.degree.has(node.id) ? 0.05 : 0.11)))
      .force("y", /** @type {import("d3-force").ForceY<Node>} */ (forceY(0)).strength((node) => (this.degree.has(node.id) ? 0.07 : 0.13)))
      .force("apart", forceCollide(44).strength(0.7))
      .velocityDecay(0.45)
      .stop();
    this.fit = { x: 0, y: 0, kx: 1, ky: 1 };
  }

  /**
   * Take in who is there and who is linked; true if that changed the picture.
   * @param {string[]} ids
   * @param {{from: string, to: string}[]} edges
   */
  set(ids, edges) {
    const pairs = [...new Set(edges.map(({ from, to }) => (from < to ? `${from}\n${to}` : `${to}\n${from}`)))].sort();
    const key = JSON.stringify([ids, pairs]);
    if (key === this.pairs) return false;
    this.pairs = key;
    const kept = new Map();
    ids.forEach((id, place) => kept.set(id, this.nodes.get(id) ?? this.#placed(id, place, pairs)));
    const first = this.nodes.size === 0;
    this.nodes = kept;
    this.degree.clear();
    for (const end of pairs.flatMap((pair) => pair.split("\n"))) this.degree.set(end, (this.degree.get(end) ?? 0) + 1);
    this.simulation.nodes([...kept.values()]);
    this.links.links(pairs.map((pair) => pair.split("\n")).filter(([a, b]) => kept.has(a) && kept.has(b)).map(([source, target]) => ({ source, target })));
    // In a crowd a few more pairs move nobody: the picture would never come to rest.
    const same = ids.length === this.laid.ids && ids.length > CROWD && pairs.length < this.laid.pairs * 1.15;
    if (same) return false;
    this.laid = { ids: ids.length, pairs: pairs.length };
    this.simulation.alpha(first ? 1 : 0.35);
    return true;
  }

  /** @param {string|Node} end of a link */
  #degreeOf(end) {
    return this.degree.get(typeof end === "string" ? end : end.id) ?? 1;
  }

  /**
   * On a sunflower spiral by the order of addition: a newcomer lands outside and is drawn in.
   * @param {string} id @param {number} place @param {string[]} pairs
   */
  #placed(id, place, pairs) {
    const radius = 60 * Math.sqrt(place + 0.5);
    const node = { id, x: radius * Math.cos(place * GOLDEN), y: radius * Math.sin(place * GOLDEN), sx: 0, sy: 0 };
    const other = pairs.map((pair) => pair.split("\n")).find((pair) => pair.includes(id))?.find((end) => end !== id);
    const near = other ? this.nodes.get(other) : undefined;
    return near ? { ...node, x: near.x + node.x / 8, y: near.y + node.y / 8 } : node;
  }

  get moving() {
    return this.simulation.alpha() > 0.01;
  }

  /** @param {number} [steps] */
  tick(steps = 1) {
    this.simulation.tick(steps);
  }

  /** Let it move again, a little. @param {number} alpha */
  wake(alpha = 0.3) {
    this.simulation.alpha(Math.max(alpha, this.simulation.alpha()));
  }

  /**
   * Lay the picture into a panel: sx and sy of each node.
   * @param {number} width
   * @param {number} height
   * @param {Margin} margin
   */
  place(width, height, margin) {
    const all = [...this.nodes.values()];
    if (!this.held) {
      const [x0, x1] = extent(all.map((node) => node.x));
      const [y0, y1] = extent(all.map((node) => node.y));
      let kx = (width - 2 * margin.x) / Math.max(x1 - x0, 120);
      let ky = (height - 2 * margin.y) / Math.max(y1 - y0, 80);
      kx = Math.max(0.05, Math.min(kx, ky * STRETCH, 1.9));
      ky = Math.max(0.05, Math.min(ky, kx * STRETCH, 1.9));
      this.fit = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, kx, ky };
    }
    const { x, y, kx, ky } = this.fit;
    for (const node of all) {
      node.sx = clamp(width / 2 + (node.x - x) * kx, 14, width - 14);
      node.sy = clamp(height / 2 + (node.y - y) * ky, 14, height - 18);
    }
    if (!this.held) for (let i = 0; i < SPREAD && this.#spread(all, width, height, margin); i++);
  }

  /**
   * Nodes that the panel brought too close are pushed apart where they are drawn.
   * @param {Node[]} all @param {number} width @param {number} height @param {Margin} margin
   */
  #spread(all, width, height, { x, y, apartX, apartY }) {
    let pushed = false;
    for (let i = 0; i < all.length; i++) {
      for (let j = i + 1; j < all.length; j++) {
        const [a, b] = [all[i], all[j]];
        const overX = apartX - Math.abs(a.sx - b.sx);
        const overY = apartY - Math.abs(a.sy - b.sy);
        if (overX <= 0.5 || overY <= 0.5) continue;
        pushed = true;
        const sideways = overX / apartX < overY / apartY;
        const by = (sideways ? overX : overY) * 0.3 * ((sideways ? a.sx <= b.sx : a.sy <= b.sy) ? -1 : 1);
        a[sideways ? "sx" : "sy"] += by;
        b[sideways ? "sx" : "sy"] -= by;
      }
    }
    for (const node of all) {
      node.sx = clamp(node.sx, x * 0.6, width - x * 0.6);
      node.sy = clamp(node.sy, y * 0.6, height - y * 0.8);
    }
    return pushed;
  }

  /**
   * Move a node by hand to a place in the panel; it stays there.
   * @param {string} id @param {number} sx @param {number} sy @param {number} width @param {number} height
   */
  drag(id, sx, sy, width, height) {
    const node = this.nodes.get(id);
    if (!node) return;
    this.held = true;
    const { x, y, kx, ky } = this.fit;
    node.fx = node.x = x + (clamp(sx, 14, width - 14) - width / 2) / kx;
    node.fy = node.y = y + (clamp(sy, 14, height - 18) - height / 2) / ky;
    this.wake(0.25);
  }

  release() {
    this.held = false;
  }
}

/** @param {number[]} values */
function extent(values) {
  return values.length ? [Math.min(...values), Math.max(...values)] : [0, 0];
}

/** @param {number} value @param {number} low @param {number} high */
function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
