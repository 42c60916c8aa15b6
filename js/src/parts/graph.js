/** The graph: who wrote to whom, as nodes and curved strands in SVG. */
import { calm, h, s, setAttribute, setText } from "../draw/dom.js";
import { counted, cut, number } from "../draw/format.js";
import { isLight } from "../draw/colours.js";
import { busiest } from "../log/edges.js";
import { statusKey, statusPath, tone } from "../draw/icons.js";
import { CROWD, Layout } from "../draw/layout.js";
import { oneStop } from "../keys.js";
import { legend } from "./legend.js";
import { draggable, showTip } from "../draw/pointing.js";
import { Strands } from "./strands.js";
import { labelPlaces } from "../draw/strokes.js";

/** Of more members than this, those are drawn who wrote and heard most, and the legend says so. */
const MOST_NODES = 40;

/**
 * @typedef {import("./strands.js").Looks} Looks
 * @typedef {{id: string, g: SVGGElement, circle: SVGCircleElement, ring: SVGCircleElement, initial: SVGTextElement,
 *   badge: SVGGElement, shape: SVGPathElement, label: SVGTextElement, width: number}} DrawnNode width: of its label
 */

export class Graph {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 200;
    this.layout = new Layout();
    /** @type {Map<string, DrawnNode>} */
    this.nodes = new Map();
    this.looks = looksOf(0);
    this.size = { width: 0, height: 0 };
    this.edgeLayer = s("g.icnb-edges");
    this.nodeLayer = s("g.icnb-nodes");
    this.strands = new Strands(this.edgeLayer, stage.log, (made) => this.#interactive(made.g, () => this.#edgeTip(made.edge)));
    this.svg = s("svg.icnb-net", { role: "group", "aria-label": "Who wrote to whom" }, this.edgeLayer, this.nodeLayer);
    this.arrange = oneStop(this.svg, ".icnb-node");
    this.tip = h("div.icnb-tip", { role: "status", hidden: true });
    this.legend = legend();
    this.canvas = h("div.icnb-canvas", {}, this.svg, this.tip);
    this.el = h("section.icnb-part.icnb-graph", { "data-part": "graph", "aria-label": "Graph" }, this.canvas, this.legend.el);
    this.sized = new ResizeObserver(() => this.#resized());
    this.sized.observe(this.canvas);
    this.lastFlashed = stage.log.lastSeq;
    /** How many messages were there when it was last drawn. */
    this.seen = 0;
    this.settled = false;
    this.frame = 0;
  }

  #resized() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0 || (width === this.size.width && height === this.size.height)) return;
    this.size = { width, height };
    setAttribute(this.svg, "viewBox", `0 0 ${width} ${height}`);
    this.#paint();
  }

  /** @param {import("../stage.js").Seen} change */
  update(change) {
    const { stage } = this;
    const counts = stage.edges.at(stage.asOf);
    const { edges, received } = counts;
    const everybody = stage.log.agentsAt(stage.asOf).map(({ id }) => id);
    const ids = busiest(everybody, counts, MOST_NODES, this.nodes);
    const there = new Set(ids);
    const drawn = [...edges.values()].filter(({ from, to }) => there.has(from) && there.has(to) && from !== to);
    this.looks = looksOf(ids.length);
    this.every = this.looks.crowd ? 1000 : 250;
    this.#setNodes(ids, received);
    this.arrange();
    if (this.strands.set(drawn, this.looks)) this.#animate();
    const moved = this.layout.set(ids, drawn);
    if (moved) this.#settle();
    this.legend.update({
      silent: ids.some((id) => !received.get(id)),
      group: drawn.some(({ group }) => group > 0),
      left: this.strands.left,
      of: everybody.length > ids.length ? whom(ids.length, everybody.length, edges.size > 0) : "",
    });
    setAttribute(this.el, "data-nodes", ids.length);
    setAttribute(this.el, "data-edges", drawn.length);
    const came = stage.log.total - this.seen;
    if (change.messages && !change.reset && stage.now) this.strands.flash(this.lastFlashed, came, this.looks.crowd);
    this.lastFlashed = stage.log.lastSeq;
    this.seen = stage.log.total;
  }

  /** @param {string[]} ids @param {Map<string, number>} received how many messages each */
  #setNodes(ids, received) {
    const { stage, looks } = this;
    const states = stage.agentStates();
    const wanted = new Set(ids);
    for (const [id, node] of this.nodes) {
      if (!wanted.has(id)) {
        node.g.remove();
        this.nodes.delete(id);
      }
    }
    for (const id of ids) {
      const node = this.nodes.get(id) ?? this.#newNode(id);
      const state = states.get(id) ?? IDLE;
      const label = stage.log.label(id);
      const silent = !received.get(id);
      const key = statusKey(state.status, state.paused);
      setAttribute(node.g, "class", `icnb-node icnb-${tone(key)}${silent ? " icnb-silent" : ""}`);
      setAttribute(node.g, "data-status", state.status);
      setAttribute(node.g, "data-addressed", !silent);
      setAttribute(node.circle, "r", looks.radius);
      setAttribute(node.ring, "r", looks.radius + 4);
      setAttribute(node.badge, "transform", `translate(${looks.radius * 0.72} ${-looks.radius * 0.72}) scale(${looks.crowd ? 0.62 : 0.85})`);
      setAttribute(node.shape, "d", statusPath(key));
      node.badge.style.display = key === "idle" || key === "person" ? "none" : "";
      setText(node.label, cut(label, looks.longest));
      node.width = cut(label, looks.longest).length * looks.font * 0.56 + 4;
      node.label.style.fontSize = `${looks.font}px`;
      setText(node.initial, looks.radius > 12 ? [...label][0].toUpperCase() : "");
      setAttribute(node.g, "aria-label", `${label}, ${state.status}${silent ? ", never addressed" : ""}`);
    }
  }

  /** @param {string} id */
  #newNode(id) {
    const colour = this.stage.log.colour(id);
    const circle = s("circle.icnb-disc");
    const ring = s("circle.icnb-ring");
    const initial = s("text.icnb-initial", { "text-anchor": "middle", dy: "0.35em", fill: isLight(colour) ? "#1a1a1a" : "#fff" });
    const shape = s("path", { transform: "translate(-5.6 -5.6) scale(.7)", "fill-rule": "evenodd" });
    const badge = s("g.icnb-badge", {}, s("circle", { r: 8.5 }), shape);
    const label = s("text.icnb-label");
    const g = s("g", { tabindex: "-1", role: "img", "data-agent": id, style: { "--own": colour } }, ring, circle, initial, badge, label);
    this.nodeLayer.append(g);
    this.#interactive(g, () => this.#nodeTip(id), id);
    draggable(g, (event) => this.#dragged(id, event), () => this.layout.release());
    const made = { id, g, circle, ring, initial, badge, shape, label, width: 0 };
    this.nodes.set(id, made);
    return made;
  }

  /** @param {string} id */
  #nodeTip(id) {
    const { stage } = this;
    const { sent, received } = stage.edges.at(stage.asOf);
    const state = stage.agentStates().get(id);
    const to = received.get(id) ?? 0;
    return [
      stage.log.label(id),
      state && state.status !== "person" ? `${state.status}${state.unread ? `, ${state.unread} unread` : ""}` : "a person",
      `${counted(sent.get(id) ?? 0, "message")} sent`,
      to ? `${counted(to, "message")} received` : "never addressed",
    ];
  }

  /** @param {import("../log/edges.js").Edge} edge */
  #edgeTip({ from, to, direct, group }) {
    const { log } = this.stage;
    return [`${log.label(from)} → ${log.label(to)}`, direct ? `${direct} direct` : "", group ? `${group} in groups` : ""].filter(Boolean);
  }

  /** @param {SVGGElement} g @param {() => string[]} lines of its tip @param {string|null} [id] of a node */
  #interactive(g, lines, id = null) {
    const show = () => {
      showTip(this.tip, this.canvas, g, lines());
      if (id) this.#dim(id);
    };
    const hide = () => {
      this.tip.hidden = true;
      if (id) this.#dim(null);
    };
    for (const name of ["pointerenter", "focus"]) g.addEventListener(name, show);
    for (const name of ["pointerleave", "blur"]) g.addEventListener(name, hide);
  }

  /** @param {string|null} id */
  #dim(id) {
    this.svg.classList.toggle("icnb-dimmed", id !== null);
    this.strands.light(id);
  }

  /** @param {string} id @param {PointerEvent} event */
  #dragged(id, event) {
    const around = this.canvas.getBoundingClientRect();
    this.layout.drag(id, event.clientX - around.left, event.clientY - around.top, this.size.width, this.size.height);
    this.#animate();
  }

  #settle() {
    // The first picture, and that of a crowd, is laid out at once; otherwise it moves there.
    if (calm() || !this.settled || this.looks.crowd) {
      this.layout.tick(this.settled ? 50 : this.nodes.size > 40 ? 160 : 260);
      this.layout.simulation.alpha(0);
    }
    this.settled = true;
    this.#animate();
  }

  #animate() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.layout.moving) this.layout.tick();
      this.#paint();
      if (this.layout.moving) this.#animate();
    });
  }

  #paint() {
    const { width, height } = this.size;
    if (width === 0) return;
    const { radius, font, crowd } = this.looks;
    const cell = Math.sqrt((width * height) / Math.max(this.nodes.size, 1));
    const apartX = Math.max(radius * 2 + (crowd ? 22 : 46), Math.min(84, cell * 0.95));
    const apartY = Math.max(radius * 2 + font + (crowd ? 5 : 12), Math.min(40, cell * 0.5));
    const margin = { x: Math.min(width / 5, radius + (crowd ? 30 : 52)), y: radius + font + 12, apartX, apartY };
    this.layout.place(width, height, margin);
    const places = [...this.nodes.values()].map((node) => ({ id: node.id, width: node.width, ...pick(this.layout.nodes.get(node.id)) }));
    places.sort((a, b) => (this.layout.degree.get(b.id) ?? 0) - (this.layout.degree.get(a.id) ?? 0));
    const labels = labelPlaces(places, { radius, font, width, height });
    for (const { id, sx, sy } of places) {
      const node = this.nodes.get(id);
      const at = labels.get(id);
      if (!node || !at) continue;
      setAttribute(node.g, "transform", `translate(${sx.toFixed(1)} ${sy.toFixed(1)})`);
      setAttribute(node.label, "x", (at.x - sx).toFixed(1));
      setAttribute(node.label, "y", (at.y - sy).toFixed(1));
      setAttribute(node.label, "text-anchor", at.anchor);
      node.label.classList.toggle("icnb-covered", !at.room && crowd);
    }
    this.strands.paint(this.layout.nodes, this.looks);
  }

  destroy() {
    this.sized.disconnect();
    cancelAnimationFrame(this.frame);
  }
}

/** @type {Pick<import("../log/past.js").AgentState, "status"|"paused">} */
const IDLE = { status: "idle", paused: false };

/** How large things are among so many. @param {number} count @returns {Looks} */
function looksOf(count) {
  const radius = count <= 6 ? 19 : count <= 14 ? 15 : count <= CROWD ? 12 : 8;
  const font = count <= 14 ? 12 : count <= CROWD ? 11 : 9.5;
  return { radius, font, crowd: count > CROWD, head: count > CROWD ? 3.5 : 5, longest: count > CROWD ? 16 : 24 };
}

/** Whom the picture of a crowd shows. @param {number} drawn @param {number} everybody @param {boolean} talked */
function whom(drawn, everybody, talked) {
  const all = number(everybody);
  if (!talked) return `the first ${drawn} of ${all}`;
  return `the ${drawn} of ${all} who wrote ${drawn < MOST_NODES ? "or heard" : "and heard most"}`;
}

/** @param {{sx: number, sy: number}|undefined} node */
function pick(node) {
  return { sx: node?.sx ?? 0, sy: node?.sy ?? 0 };
}
