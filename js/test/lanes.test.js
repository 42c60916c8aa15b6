/** The arithmetic of the graph and the timeline. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Glass, marks, nearest, stretch, ticks } from "../src/log/lanes.js";
import { tickLabel } from "../src/draw/format.js";
import { Layout } from "../src/draw/layout.js";
import { Log } from "../src/log/log.js";
import { labelPlaces, strand, strokeWidth } from "../src/draw/strokes.js";
import { demo } from "./demo.js";

test("marks that share their pixels are one", () => {
  const log = new Log();
  log.apply({ messages: Array.from({ length: 10_000 }, (_, i) => [i + 1, `m-${i}`, i, "a", "b", null, "x", 1]) });
  const found = marks(log, { lanes: new Map([["a", 0], ["b", 1]]), low: 0, high: 10_000, width: 400, asOf: Infinity });
  assert.ok(found.length <= 201);
  assert.equal(found.reduce((sum, { count }) => sum + count, 0), 10_000);
  assert.equal(nearest(log, { at: 500.2, within: 3, from: "a", asOf: Infinity }).seq, 501);
  assert.equal(nearest(log, { at: 500, within: 3, from: "b", asOf: Infinity }), undefined);
});

test("a stretch of time follows the end until somebody moves it", () => {
  const glass = new Glass();
  assert.deepEqual(glass.shown([0, 10_000]), [0, 10_000]);
  glass.zoom(0.5, [0, 10_000]);
  assert.deepEqual(glass.shown([0, 12_000]), [7000, 12_000]);
  glass.pan(-3000, [0, 12_000]);
  assert.deepEqual(glass.shown([0, 20_000]), [4000, 9000]);
  glass.zoom(8, [0, 20_000]);
  assert.deepEqual(glass.shown([0, 20_000]), [0, 20_000]);
});

test("an axis has few, round ticks; an empty log has a stretch all the same", () => {
  assert.deepEqual(ticks(0, 10_000, 4), { step: 5000, found: [0, 5000, 10_000] });
  assert.ok(stretch(new Log())[1] > 0);
});

test("whatever the length of a stretch, its ticks have room, and days begin at midnight where the reader is", () => {
  for (let length = 50; length < 1e12; length *= 1.5) {
    const { found } = ticks(1.7e12, 1.7e12 + length, 8);
    assert.ok(found.length >= 1 && found.length <= 8, `${found.length} in ${length} ms`);
  }
  const { step, found } = ticks(1.7e12, 1.7e12 + 6 * 86_400_000, 8);
  assert.ok(found.every((at) => new Date(at).getHours() === 0));
  assert.match(tickLabel(found[0], step), /^\d{4}-\d\d-\d\d$/);
  assert.match(tickLabel(found[0], 1000), /^\d\d:\d\d:\d\d$/);
});

test("the same log is laid out the same way, and a newcomer moves nobody far", () => {
  const lay = () => {
    const layout = new Layout();
    layout.set(["a", "b", "c"], [{ from: "a", to: "b" }]);
    layout.tick(200);
    return layout;
  };
  const [one, two] = [lay(), lay()];
  assert.deepEqual([...one.nodes.values()].map(({ x, y }) => [x, y]), [...two.nodes.values()].map(({ x, y }) => [x, y]));
  const kept = one.nodes.get("a");
  assert.equal(one.set(["a", "b", "c"], [{ from: "b", to: "a" }]), false);
  assert.equal(one.set(["a", "b", "c", "d"], [{ from: "a", to: "b" }]), true);
  assert.equal(one.nodes.get("a"), kept);
});

test("sixty nodes are drawn apart", () => {
  const layout = new Layout();
  const ids = Array.from({ length: 60 }, (_, i) => `a-${i}`);
  layout.set(ids, ids.slice(1).map((id) => ({ from: "a-0", to: id })));
  layout.tick(160);
  layout.place(900, 500, { x: 40, y: 30, apartX: 30, apartY: 28 });
  const all = [...layout.nodes.values()];
  const close = all.filter((a, i) => all.some((b, j) => j > i && Math.hypot(a.sx - b.sx, a.sy - b.sy) < 16));
  assert.equal(close.length, 0);
});

test("two directions lie apart, width grows slowly, labels keep clear of each other", () => {
  const [a, b] = [{ sx: 0, sy: 0 }, { sx: 100, sy: 0 }];
  const look = { radius: 10, bend: 5, head: 5, width: 2 };
  assert.notEqual(strand(a, b, look).line.match(/Q[\d.]+ (-?[\d.]+)/)[1], strand(b, a, look).line.match(/Q[\d.]+ (-?[\d.]+)/)[1]);
  assert.ok(strokeWidth(1) < strokeWidth(10) && strokeWidth(1_000_000) < 8);
  const places = labelPlaces([{ id: "a", sx: 50, sy: 50, width: 60 }, { id: "b", sx: 52, sy: 74, width: 60 }], { radius: 10, font: 12, width: 300, height: 300 });
  assert.notDeepEqual(places.get("a"), places.get("b"));
});

test("demo facts have their stretch", () => {
  const log = new Log();
  log.apply(demo());
  const [low, high] = stretch(log);
  assert.ok(low < 1000 && high > 5000);
});
