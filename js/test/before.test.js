/** Sums of what lies before the first row: everything is counted as if its rows were there, and they come when asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Edges } from "../src/log/edges.js";
import { marks, stretch } from "../src/log/lanes.js";
import { Log } from "../src/log/log.js";
import { Older } from "../src/log/older.js";
import { agentStates } from "../src/log/past.js";
import { demo } from "./demo.js";

/** The demo from its third message on; what was before, as the kernel sums it up. */
function cut() {
  const facts = demo();
  const before = {
    seq: 9,
    upto: 16,
    messages: 2,
    agents: [["a", 0, 0, 0, 0, 0, 0, 1, 0, false], ["b", 0, 0, 0, 0, 0, 0, 0, 1, false]],
    edges: [["a", "b", 1, 0, 7]],
    waiting: [["b", 12, 1]],
    when: { from: 1000, to: 2000, parts: 10, said: { a: [[9, 1]] }, ran: { a: [[5, 1]] } },
  };
  return { rest: { ...facts, messages: facts.messages.slice(2) }, older: { messages: facts.messages.slice(0, 2) }, before };
}

function logs() {
  const { rest, before } = cut();
  const [whole, part] = [new Log(), new Log()];
  whole.apply(demo(), { reset: true });
  part.apply(rest, { reset: true, before });
  return { whole, part };
}

const told = (log, asOf) => {
  const { edges, sent, received } = new Edges(log).at(asOf);
  const sorted = (map) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const states = [...agentStates(log, asOf)].map(([id, { status, unread, runs, steps, tokens }]) => [id, status, unread, runs, steps, tokens]);
  return [sorted(edges), sorted(sent), sorted(received), states, log.total];
};

test("what is counted is what would be counted of all rows, now and at every moment since", () => {
  const { whole, part } = logs();
  for (const asOf of [Infinity, 16, 13, 9]) assert.deepEqual(told(part, asOf), told(whole, asOf));
});

test("runs that are sums count like those that are rows", () => {
  const log = new Log();
  const { rest, before } = cut();
  before.agents[0] = ["a", 3, 4, 500, 0.5, 1, 2, 1, 1, true];
  log.apply({ ...rest, runs: [] }, { reset: true, before });
  const { runs, steps, tokens, bills, status } = agentStates(log).get("a");
  assert.deepEqual([runs, steps, tokens, status], [3, 4, 500, "waiting"]);
  assert.deepEqual(bills, [{ usd: 0.5, steps: 1 }, { usd: null, steps: 1 }]);
});

test("the timeline begins with the first message of all, and marks what was said", () => {
  const { whole, part } = logs();
  assert.deepEqual(stretch(part), stretch(whole));
  const look = { lanes: new Map([["a", 0], ["b", 1]]), low: 1000, high: 5000, width: 400, asOf: Infinity };
  const all = (log) => marks(log, look).reduce((sum, { count }) => sum + count, 0);
  assert.equal(all(part), all(whole));
});

test("older rows take the place of their sums", async () => {
  const { part, whole } = logs();
  const { older } = cut();
  const asked = [];
  const source = { log: part, ask: async (what, given) => (asked.push([what, given]), { facts: older, before: null }) };
  const changes = [];
  part.listen((change) => changes.push(change));
  const loader = new Older(source);
  await Promise.all([loader.more(), loader.more()]);
  await loader.more();
  await loader.until(() => false);
  assert.deepEqual(asked, [["older", { seq: 9, most: 500 }]]);
  assert.ok(changes[0].reordered);
  assert.equal(part.before, null);
  for (const asOf of [Infinity, 9, 7, 5]) assert.deepEqual(told(part, asOf), told(whole, asOf));
});

test("what comes after all of it began anew is left alone", async () => {
  const { part } = logs();
  const { rest, before, older } = cut();
  const source = {
    log: part,
    ask: async () => {
      part.apply(rest, { reset: true, before: { ...before, seq: 8 } });
      return { facts: older, before: null };
    },
  };
  await new Older(source).more();
  assert.equal(part.before.seq, 8);
  assert.equal(part.messages.length, 3);
});

test("runs that come late stand where they began", () => {
  const { part } = logs();
  part.apply({ runs: [["r-0", "a", 2, 900, 3, 950, "silent", 1, null, 1]] });
  assert.deepEqual([...part.runs.keys()], ["r-0", "r-1", "r-2", "r-3"]);
  assert.deepEqual(part.runsByAgent.get("a").map(({ id }) => id), ["r-0", "r-1", "r-3"]);
});
