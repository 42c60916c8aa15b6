/** The model of the log: facts may come twice, in any cut, and still say the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { busiest, Edges } from "../src/log/edges.js";
import { countUpTo, Log } from "../src/log/log.js";
import { demo } from "./demo.js";

test("facts received twice change nothing", () => {
  const log = new Log();
  log.apply(demo(), { reset: true });
  const before = JSON.stringify([log.messages, log.lines, [...log.runs], [...log.agents]]);
  const change = log.apply(demo());
  assert.equal(JSON.stringify([log.messages, log.lines, [...log.runs], [...log.agents]]), before);
  assert.equal(change.reordered, undefined);
  assert.equal(log.lastSeq, 16);
});

test("a reset forgets what was there", () => {
  const log = new Log();
  log.apply(demo(), { reset: true });
  log.apply({ agents: demo().agents.slice(0, 1) }, { reset: true });
  assert.equal(log.messages.length, 0);
  assert.equal(log.agents.size, 1);
});

test("a text that is known is not forgotten by a fact without it", () => {
  const log = new Log();
  log.apply(demo());
  const [seq, ...rest] = demo().messages[1];
  rest[5] = null;
  log.apply({ messages: [[seq, ...rest]] });
  assert.equal(log.message(seq).text, "Hello");
  log.setTexts([[seq, "Hello again"]]);
  assert.equal(log.message(seq).text, "Hello again");
});

test("messages that come late find their place, and counts begin anew", () => {
  const log = new Log();
  const facts = demo();
  const edges = new Edges(log);
  log.apply({ ...facts, messages: facts.messages.slice(2) });
  edges.at();
  const change = log.apply({ messages: facts.messages.slice(0, 2) });
  assert.ok(change.reordered);
  assert.deepEqual(log.messages.map(({ seq }) => seq), [5, 7, 9, 13, 15]);
  assert.equal(edges.at().edges.get("a\nb").direct, 1);
});

test("a group's message reaches those who were members at its moment, but its sender", () => {
  const log = new Log();
  log.apply(demo());
  assert.deepEqual(log.receivers(log.message(9)), ["b", "c"]);
  assert.deepEqual(log.receivers(log.message(13)), ["a"]); // c had left
  assert.deepEqual(log.receivers(log.message(7)), ["b"]);
  assert.deepEqual(log.members("g"), ["a", "b"]);
  assert.deepEqual(log.members("g", 10), ["a", "b", "c"]);
});

test("edges count direct and group apart, and the program is nobody", () => {
  const log = new Log();
  log.apply(demo());
  const { edges, received, sent } = new Edges(log).at();
  assert.deepEqual(edges.get("a\nb"), { from: "a", to: "b", direct: 1, group: 1, last: 9 });
  assert.deepEqual(edges.get("b\na"), { from: "b", to: "a", direct: 0, group: 1, last: 13 });
  assert.equal(received.get("c"), 2);
  assert.equal(received.get("d"), undefined);
  assert.equal([...edges.keys()].some((key) => key.startsWith("null")), false);
  assert.equal(sent.get("a"), 3);
});

test("edges as of a seq are those of the messages up to it", () => {
  const log = new Log();
  log.apply(demo());
  const edges = new Edges(log);
  edges.at();
  assert.deepEqual([...edges.at(7).edges.keys()], ["a\nb"]);
  assert.equal(edges.at(6).edges.size, 0);
  assert.equal(edges.at().edges.size, 3);
});

test("a membership that ends in the past is counted anew", () => {
  const log = new Log();
  log.apply(demo());
  const edges = new Edges(log);
  edges.at();
  log.apply({ memberships: [["g", "b", 4, 8]] });
  assert.equal(edges.at().edges.get("a\nb").group, 0);
});

test("rows are counted up to a seq", () => {
  const rows = [{ seq: 2 }, { seq: 4 }, { seq: 9 }];
  assert.deepEqual([1, 2, 3, 4, 8, 9, 99].map((seq) => countUpTo(rows, seq)), [0, 1, 1, 2, 2, 3, 3]);
  assert.equal(countUpTo([], 5), 0);
});

test("two names that look alike are told apart by their ids", () => {
  const log = new Log();
  const [first, second, ...others] = demo().agents;
  log.apply({ agents: [{ ...first, name: "Ann" }, { ...second, name: "Ann\u200b" }, ...others] });
  assert.equal(log.label("a"), "Ann (a)");
  assert.equal(log.label("b"), "Ann (b)");
  assert.equal(log.label("c"), "Cleo");
  assert.equal(log.label(null), "the program");
  assert.equal(log.label("nobody"), "nobody");
});

test("of a crowd those are drawn who talked most, and who is drawn stays", () => {
  const ids = Array.from({ length: 300 }, (_, i) => `a-${i}`);
  const counts = { sent: new Map([["a-7", 9], ["a-200", 2], ["a-201", 2]]), received: new Map([["a-100", 5]]) };
  assert.deepEqual(busiest(ids.slice(0, 3), counts, 3), ["a-0", "a-1", "a-2"]);
  assert.deepEqual(busiest(ids, counts, 60), ["a-7", "a-100", "a-200", "a-201"]);
  assert.deepEqual(busiest(ids, counts, 3), ["a-7", "a-100", "a-200"]);
  assert.deepEqual(busiest(ids, counts, 3, new Set(["a-201"])), ["a-7", "a-100", "a-201"]);
  assert.deepEqual(busiest(ids, { sent: new Map(), received: new Map() }, 2), ["a-0", "a-1"]);
});
