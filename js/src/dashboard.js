/** A rendered view: the dashboard of all parts, or one part alone; and whether anybody can see it. */
import { Agents } from "./parts/agents.js";
import { Controls } from "./parts/controls.js";
import { freshId, h } from "./draw/dom.js";
import { grip } from "./parts/grip.js";
import { Graph } from "./parts/graph.js";
import { keepKeys } from "./keys.js";
import { Reply } from "./parts/reply.js";
import { Slider } from "./parts/slider.js";
import { Stage } from "./stage.js";
import { Timeline } from "./parts/timeline.js";
import { Transcript } from "./parts/transcript.js";

/** @type {Record<string, new (stage: Stage) => import("./stage.js").Part>} */
const ALONE = { transcript: Transcript, graph: Graph, agents: Agents, timeline: Timeline };

/**
 * Draw a view of a source into an element.
 * @param {import("./wire/facts.js").Source} source
 * @param {HTMLElement} el
 * @param {{part?: string, focus?: string, title?: string, page?: boolean}} [given]
 * @returns {() => void} takes it away again and says goodbye
 */
export function mount(source, el, { part = "dashboard", focus = "", title = "", page = false } = {}) {
  const stage = new Stage(source, { focus });
  const view = freshId("view");
  const root = h(page ? "main.icnb.icnb-page" : "div.icnb", { "data-view": part, "data-focus": focus || false });
  root.append(...(ALONE[part] ? alone(stage, part) : whole(stage, title, page)));
  keepKeys(root);
  el.append(root);
  source.hello(view);
  const unwatch = watch(root, (visible) => source.visible(view, visible));
  return () => {
    unwatch();
    source.bye(view);
    stage.close();
    root.remove();
  };
}

/** @param {Stage} stage @param {string} part */
function alone(stage, part) {
  const main = stage.add(new ALONE[part](stage));
  const below = [];
  if (part === "transcript" && stage.source.live) below.push(stage.add(new Reply(stage)));
  if (!stage.source.live) below.push(stage.add(new Slider(stage)));
  return [h("div.icnb-alone", {}, main, ...below)];
}

/** @param {Stage} stage @param {string} title @param {boolean} page */
function whole(stage, title, page) {
  const add = (/** @type {new (stage: Stage) => import("./stage.js").Part} */ Part) => stage.add(new Part(stage));
  const head = stage.add(new Controls(stage, title, page));
  const left = h("div.icnb-left", {}, add(Transcript), stage.source.live ? add(Reply) : null);
  const board = h("div.icnb-board", {}, head, left, h("div.icnb-right", {}, add(Graph), add(Agents)));
  board.append(grip(board, left), add(Timeline), add(Slider));
  return [board];
}

/** Tell whether an element can be seen: it is on the screen, and the tab is in front. @param {Element} root @param {(visible: boolean) => void} tell */
function watch(root, tell) {
  let inside = true;
  const say = () => tell(inside && document.visibilityState !== "hidden");
  const observer = new IntersectionObserver((entries) => {
    inside = entries[entries.length - 1].isIntersecting;
    say();
  });
  observer.observe(root);
  document.addEventListener("visibilitychange", say);
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", say);
  };
}
