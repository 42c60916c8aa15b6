/** The geometry of the graph: curved strands with an arrowhead, their widths, and where labels find room. No DOM. */

/**
 * @typedef {{x0: number, x1: number, y0: number, y1: number}} Box
 * @typedef {{x: number, y: number, anchor: string, cost: number, box: Box}} Choice
 */

/** The share of a label that others may cover; one covered more is shown only when pointed at. */
const MOST_COVERED = 0.22;

/** How wide a strand is: a logarithm of how many messages it carried. @param {number} count */
export function strokeWidth(count, scale = 1) {
  return Math.min(6.5, 0.9 + Math.log2(count + 1) * 0.65) * scale;
}

/**
 * The path of a strand from one node to another, slightly curved, so that both directions lie apart; and its head.
 * @param {{sx: number, sy: number}} a
 * @param {{sx: number, sy: number}} b
 * @param {{radius: number, bend: number, head: number, width: number}} look
 */
export function strand(a, b, { radius, bend, head, width }) {
  const dx = b.sx - a.sx;
  const dy = b.sy - a.sy;
  const far = Math.hypot(dx, dy) || 1;
  const off = Math.min(bend + far * 0.06, far * 0.5);
  const mx = (a.sx + b.sx) / 2 - (dy / far) * off;
  const my = (a.sy + b.sy) / 2 + (dx / far) * off;
  const long = head + width * 1.1;
  const wide = head * 0.45 + width * 0.75;
  const [x0, y0] = towards(a.sx, a.sy, mx, my, radius + 1);
  const [tipX, tipY] = towards(b.sx, b.sy, mx, my, radius + 2);
  const [x1, y1] = towards(b.sx, b.sy, mx, my, radius + 2 + long);
  const ux = (tipX - x1) / long;
  const uy = (tipY - y1) / long;
  const corner = (/** @type {1|-1} */ side) => `${r(x1 - uy * wide * side)} ${r(y1 + ux * wide * side)}`;
  const line = `M${r(x0)} ${r(y0)}Q${r(mx)} ${r(my)} ${r(x1 + ux)} ${r(y1 + uy)}`;
  return { line, head: `M${r(tipX)} ${r(tipY)}L${corner(1)}L${corner(-1)}Z` };
}

/** @param {number} x @param {number} y @param {number} tx @param {number} ty @param {number} by */
function towards(x, y, tx, ty, by) {
  const far = Math.hypot(tx - x, ty - y) || 1;
  return [x + ((tx - x) / far) * by, y + ((ty - y) / far) * by];
}

/** @param {number} value */
function r(value) {
  return Math.round(value * 10) / 10;
}

/**
 * Where each label goes: below, above, right or left of its node, wherever it covers least. Those first in the list
 * choose first; one that finds no room is told so.
 * @param {{id: string, sx: number, sy: number, width: number}[]} nodes width: of the label, in pixels
 * @param {{radius: number, font: number, width: number, height: number}} look
 * @returns {Map<string, {x: number, y: number, anchor: string, room: boolean}>}
 */
export function labelPlaces(nodes, { radius, font, width, height }) {
  const taken = nodes.map(({ sx, sy }) => ({ x0: sx - radius, x1: sx + radius, y0: sy - radius, y1: sy + radius }));
  const places = new Map();
  for (const node of nodes) {
    let best;
    for (const choice of choices(node, radius, font)) {
      const out = Math.max(0, -choice.box.x0) + Math.max(0, choice.box.x1 - width) + Math.max(0, -choice.box.y0) + Math.max(0, choice.box.y1 - height);
      const covered = taken.reduce((sum, box) => sum + overlap(choice.box, box), 0);
      const cost = choice.cost + out * 40 + covered;
      if (!best || cost < best.cost) best = { ...choice, cost, covered };
    }
    if (!best) continue;
    const room = best.covered < MOST_COVERED * node.width * font;
    if (room) taken.push(best.box);
    places.set(node.id, { x: best.x, y: best.y, anchor: best.anchor, room });
  }
  return places;
}

/** @param {{sx: number, sy: number, width: number}} node @param {number} radius @param {number} font @returns {Choice[]} */
function choices({ sx, sy, width }, radius, font) {
  /** @param {number} x @param {number} y @param {string} anchor @param {number} cost @returns {Choice} */
  const at = (x, y, anchor, cost) => {
    const x0 = anchor === "middle" ? x - width / 2 : anchor === "start" ? x : x - width;
    return { x, y, anchor, cost, box: { x0, x1: x0 + width, y0: y - font, y1: y + font * 0.3 } };
  };
  const gap = radius + 4;
  return [
    at(sx, sy + gap + font, "middle", 0),
    at(sx, sy - gap - 2, "middle", 6),
    at(sx + gap, sy + font * 0.35, "start", 8),
    at(sx - gap, sy + font * 0.35, "end", 8),
  ];
}

/** @param {Box} a @param {Box} b */
function overlap(a, b) {
  return Math.max(0, Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0)) * Math.max(0, Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0));
}
